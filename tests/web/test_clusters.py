"""What is shown of clusters: sections, sizes, words; and when it is read again."""

from pathlib import Path

import pyarrow as pa
import pytest

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.web.annotate.clusters import SECTIONS, Cluster, identity, read_clusters
from biomedica.web.annotate.words import common_words
from web.clustered import COLUMNS, article, assign, clustered


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return clustered(tmp_path_factory.mktemp("clusters"), size=10)


def ids(cluster: Cluster, section: str) -> list[str]:
    return [sample.image_id for sample in cluster.samples[section]]


def test_sections_are_of_the_centre_the_edge_and_what_lies_between(dataset: bm.Dataset) -> None:
    found = list(read_clusters(dataset, "default", 3))
    assert [(cluster.number, cluster.size) for cluster in found] == [(0, 10), (1, 10), (2, 10)]
    for cluster in found:
        name = f"PMC{100 + cluster.number}"
        assert ids(cluster, "nearest") == [f"{name}_{place:04}" for place in (1, 2, 3)]
        assert ids(cluster, "farthest") == [f"{name}_{place:04}" for place in (10, 9, 8)]
        assert set(ids(cluster, "random")) <= {f"{name}_{place:04}" for place in (4, 5, 6, 7)}
        assert len(ids(cluster, "random")) == 3
    assert list(read_clusters(dataset, "default", 3)) == found
    assert Cluster.of_json(found[0].as_json()) == found[0]


def test_a_small_cluster_shows_each_image_once(dataset: bm.Dataset) -> None:
    for samples in (4, 6, 10, 20):
        for cluster in read_clusters(dataset, "default", samples):
            shown = [image for section in SECTIONS for image in ids(cluster, section)]
            assert len(shown) == len(set(shown)) == 10


def test_captions_belong_to_their_images(dataset: bm.Dataset) -> None:
    captions = {row["image_id"]: row["caption"] for row in dataset.figures().to_table().to_pylist()}
    for cluster in read_clusters(dataset, "default", 4):
        for section in SECTIONS:
            assert all(sample.caption == captions[sample.image_id] for sample in cluster.samples[section])


def test_words_are_those_that_other_clusters_have_not(dataset: bm.Dataset) -> None:
    first, second, third = (dict(cluster.words) for cluster in read_clusters(dataset, "default", 3))
    assert first == {"micrograph": 1.0, "stained": 1.0, "tissue": 1.0}
    assert second == {"survival": 1.0, "curve": 1.0, "patients": 1.0}
    assert third == {"radiograph": 1.0, "chest": 1.0}


def test_common_words_equal_those_counted_by_hand() -> None:
    captions = {1: ["red cells", "red nuclei", "blue cells", "red"], 2: ["blue cells", "blue"]}
    found = common_words(captions, {1: 4, 2: 12})
    # In 1: red 3/4, cells 2/4, blue 1/4, nuclei 1/4; in 2: blue 1, cells 1/2. Of all: red 3/16, cells 1/2, blue 13/16.
    assert found[1] == [("red", 0.75)]
    assert found[2] == [("blue", 1.0)]
    assert common_words({5: ["one caption"], 6: []}, {5: 1, 6: 2}) == {5: [], 6: []}


def test_no_clusters_are_said_so(dataset: bm.Dataset) -> None:
    with pytest.raises(bm.DatasetError, match="no sidecar clusters/none"):
        identity(dataset, "none")
    sidecar = Sidecar(dataset, "clusters/empty", COLUMNS)
    nothing = {name: pa.nulls(30, kind) for name, kind in COLUMNS.items()}
    sidecar.write(sidecar.parts[0], nothing)
    with pytest.raises(bm.DatasetError, match="no image is in any of the clusters empty"):
        list(read_clusters(dataset, "empty", 3))
    other = Sidecar(dataset, "clusters/other", {"image_cluster_id": pa.int32()})
    other.write(other.parts[0], {"image_cluster_id": pa.nulls(30, pa.int32())})
    with pytest.raises(bm.DatasetError, match="no column image_cluster_distance"):
        list(read_clusters(dataset, "other", 3))


def test_figures_without_a_cluster_and_withdrawn_articles_are_left_out(tmp_path: Path) -> None:
    dataset = clustered(tmp_path)
    before = identity(dataset, "default")
    (tmp_path / "in" / "PMC101.tar.gz").unlink()
    article(tmp_path / "in", 103, ["new", "newer"])
    updated = bm.extract(tmp_path / "in", tmp_path / "out")
    assign(updated)
    assert [(one.number, one.size) for one in read_clusters(updated, "default", 4)] == [(0, 8), (2, 8), (3, 2)]
    assert identity(updated, "default") != before


def test_clusters_stay_the_same_when_images_are_added_to_their_model(tmp_path: Path) -> None:
    dataset = clustered(tmp_path)
    (tmp_path / "out" / "clusters" / "default" / "model.safetensors").write_bytes(b"centroids")
    model, shown = identity(dataset, "default")
    article(tmp_path / "in", 103, ["new"])
    updated = bm.extract(tmp_path / "in", tmp_path / "out")
    assign(updated)
    assert identity(updated, "default")[0] == model
    assert identity(updated, "default")[1] != shown
