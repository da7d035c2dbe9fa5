"""`cluster`: what was planted is found, what is there is kept, and figures are those of the field's own tools."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import decomposition, metrics

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.cli import main
from biomedica.concepts.features import write_record
from biomedica.concepts.kmeans import Searcher, adjusted_rand, kmeans, silhouette
from biomedica.concepts.space import fit
from made import package, packages, tree

DIMENSION, PLANTED = 32, 5


def planted(image_id: str) -> int:
    return sum(image_id.encode()) % PLANTED


def plant(dataset: bm.Dataset, name: str = "planted", *, seed: int = 0, noise: float = 0.05) -> None:
    """Features around five centres, by the image's id; each seventh image has none."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(PLANTED, DIMENSION)).astype(np.float32)
    folder = f"features/{name}"
    sidecar = Sidecar(dataset, folder, {"features": pa.list_(pa.float32(), DIMENSION)})
    for part in sidecar.missing():
        rows = sidecar.figures(part, ["image_id", "status"]).to_pylist()
        vectors = [
            None if row["status"] != "ok" or is_unreadable(row["image_id"])
            else centres[planted(row["image_id"])] + noise * rng.normal(size=DIMENSION)
            for row in rows
        ]  # fmt: skip
        sidecar.write(part, {"features": pa.array(vectors, pa.list_(pa.float32(), DIMENSION))})
    write_record(dataset.storage, folder, {"model": name, "dimension": DIMENSION, "dtype": "float32"})


def is_unreadable(image_id: str) -> bool:
    return sum(image_id.encode()) % 7 == 3


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    dataset = bm.extract(packages(tmp_path / "in", 60), tmp_path / "out", part_size=20)
    plant(dataset)
    return dataset


def assigned(dataset: bm.Dataset, name: str = "default") -> dict[str, tuple[int | None, float | None]]:
    rows = dataset.sidecar(f"clusters/{name}").to_table().to_pylist()
    return {row["image_id"]: (row["image_cluster_id"], row["image_cluster_distance"]) for row in rows}


def test_planted_clusters_are_found_and_images_without_features_have_none(dataset: bm.Dataset) -> None:
    done = bm.cluster(dataset, features="planted", k=PLANTED, components=4)
    found = assigned(dataset)
    figures = dataset.figures().to_table(columns=["image_id", "status"]).to_pylist()
    there = [row["image_id"] for row in figures if row["status"] == "ok" and not is_unreadable(row["image_id"])]
    assert {image_id for image_id, (label, _) in found.items() if label is not None} == set(there)
    assert list(found) == [row["image_id"] for row in figures]
    labels, truth = [found[image_id][0] or 0 for image_id in there], [planted(image_id) for image_id in there]
    assert metrics.adjusted_rand_score(truth, labels) == pytest.approx(1)
    assert (done.k, done.components, done.sample, sum(done.sizes)) == (PLANTED, 4, len(there), len(there))
    assert done.stability == pytest.approx(1)
    assert done.silhouette is not None
    assert done.silhouette > 0.8
    assert done.explained_variance > 0.9
    assert sorted(done.sizes) == sorted(np.bincount(labels).tolist())
    assert bm.open(dataset.path).verify(deep=True).problems == []


def test_distances_are_those_to_the_centroid_in_the_space_of_the_components(dataset: bm.Dataset) -> None:
    from safetensors.numpy import load_file

    bm.cluster(dataset, features="planted", k=PLANTED, components=4)
    model = load_file(dataset.path / "clusters" / "default" / "model.safetensors")
    vectors = {row["image_id"]: row["features"] for row in dataset.sidecar("features/planted").to_table().to_pylist()}
    for image_id, (label, distance) in assigned(dataset).items():
        if label is None:
            continue
        point = (np.array(vectors[image_id]) - model["mean"]) @ model["components"].T
        distances = np.linalg.norm(model["centroids"] - point, axis=1)
        assert (distances.argmin(), distances.min()) == (label, pytest.approx(distance, abs=1e-4))
    folder = dataset.path / "clusters" / "default"
    for name in ("scree.png", "sizes.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_bytes_and_a_second_run_changes_none(dataset: bm.Dataset) -> None:
    bm.cluster(dataset, features="planted", k=9, name="one", seed=4)
    before = tree(dataset.path / "clusters" / "one")
    assert bm.cluster(dataset, features="planted", name="one").parts == 0
    assert tree(dataset.path / "clusters" / "one") == before
    bm.cluster(dataset, features="planted", k=9, name="two", seed=4)
    assert tree(dataset.path / "clusters" / "two") == before


def test_new_images_go_to_the_clusters_that_are_there(dataset: bm.Dataset) -> None:
    bm.cluster(dataset, features="planted", k=PLANTED, components=4)
    before = assigned(dataset)
    model = (dataset.path / "clusters" / "default" / "model.safetensors").read_bytes()
    source = dataset.path.parent / "in"
    for number in range(200, 215):
        package(source, number, 3)
    updated = bm.extract(source, dataset.path, part_size=20)
    with pytest.raises(bm.DatasetError, match=r"features planted are missing for part 000003 \(1 of 4 parts\)"):
        bm.cluster(updated, features="planted")
    plant(updated, seed=1)
    done = bm.cluster(updated, features="planted")
    assert (done.parts, sum(done.sizes)) == (1, sum(label is not None for label, _ in assigned(updated).values()))
    after = assigned(updated)
    assert {image_id: after[image_id] for image_id in before} == before
    assert (dataset.path / "clusters" / "default" / "model.safetensors").read_bytes() == model
    of_planted = {planted(image_id): label for image_id, (label, _) in before.items() if label is not None}
    assert all(label in {None, of_planted[planted(image_id)]} for image_id, (label, _) in after.items())


def test_a_run_that_was_stopped_goes_on_at_the_next_part(dataset: bm.Dataset) -> None:
    bm.cluster(dataset, features="planted", k=PLANTED, name="whole")

    def stop(stage: str, done: int, _: int) -> None:
        if (stage, done) == ("assign", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bm.cluster(dataset, features="planted", k=PLANTED, progress=stop)
    done = bm.cluster(dataset, features="planted", k=PLANTED)
    assert 0 < done.parts < 3
    assert assigned(dataset) == assigned(dataset, "whole")
    assert sum(done.sizes) > 0


def test_the_clusters_of_another_dataset_can_be_taken(dataset: bm.Dataset, tmp_path: Path) -> None:
    bm.cluster(dataset, features="planted", k=PLANTED, components=4)
    other = bm.extract(packages(tmp_path / "other-in", 12), tmp_path / "other")
    plant(other, seed=5)
    model = dataset.path / "clusters" / "default"
    done = bm.cluster(other, features="planted", model=model)
    assert (done.k, done.parts) == (PLANTED, 1)
    of_planted = {planted(image_id): label for image_id, (label, _) in assigned(dataset).items() if label is not None}
    assert all(label in {None, of_planted[planted(image_id)]} for image_id, (label, _) in assigned(other).items())
    plant(other, "strange")
    with pytest.raises(bm.ModelError, match=r"is of other features than strange: model 'planted', not 'strange'"):
        bm.cluster(other, features="strange", model=model, name="strange")
    with pytest.raises(bm.ModelError, match=r"no model\.json"):
        bm.cluster(other, features="planted", model=tmp_path, name="none")
    with pytest.raises(ValueError, match="taken as it is"):
        bm.cluster(other, features="planted", model=model, k=7)


def test_other_clusters_take_a_name_only_when_told(dataset: bm.Dataset) -> None:
    bm.cluster(dataset, features="planted", k=PLANTED)
    with pytest.raises(bm.ModelError, match="was made with k 5, not 6"):
        bm.cluster(dataset, features="planted", k=6)
    assert bm.cluster(dataset, features="planted", k=6, overwrite=True).parts == 3
    assert {label for label, _ in assigned(dataset).values() if label is not None} == set(range(6))
    (dataset.path / "clusters" / "default" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(bm.ModelError, match=r"not the model that model\.json is of"):
        bm.cluster(dataset, features="planted")


def test_what_makes_no_sense_is_refused(dataset: bm.Dataset) -> None:
    with pytest.raises(bm.ModelError, match="images cannot make 2,000 clusters"):
        bm.cluster(dataset, features="planted")
    with pytest.raises(bm.DatasetError, match="there are no features none"):
        bm.cluster(dataset, features="none")
    for name in ("k", "components", "sample", "restarts"):
        with pytest.raises(ValueError, match=name):
            bm.cluster(dataset, features="planted", **{name: 0})  # type: ignore[arg-type] # they are counts all
    with pytest.raises(ValueError, match="init is"):
        bm.cluster(dataset, features="planted", init="best")  # type: ignore[arg-type] # on purpose


def test_components_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(900, 12)) * np.linspace(3, 0.1, 12) + 100).astype(np.float32)
    space = fit(np.array_split(rows, 7), 5)
    theirs = decomposition.PCA(5).fit(rows.astype(np.float64))
    assert np.allclose(np.abs(space.components @ theirs.components_.T), np.eye(5), atol=1e-3)
    assert np.allclose(space.ratios[:5], theirs.explained_variance_ratio_, rtol=1e-5)
    assert np.allclose(space.mean, rows.mean(axis=0), atol=1e-4)
    with pytest.raises(bm.ModelError, match="all features are the same"):
        fit([np.ones((5, 3), np.float32)], 2)


def test_silhouette_and_rand_index_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1500, 6)).astype(np.float32)
    labels, other = rng.integers(0, 40, 1500), rng.integers(0, 7, 1500)
    labels[:3] = [100, 101, 102]  # lone ones
    assert silhouette(points, labels) == pytest.approx(metrics.silhouette_score(points, labels), abs=1e-6)
    assert silhouette(points, np.zeros(1500, np.int64)) is None
    assert adjusted_rand(labels, other) == pytest.approx(metrics.adjusted_rand_score(labels, other))
    assert adjusted_rand(labels, labels + 5) == 1
    assert adjusted_rand(np.zeros(9, np.int64), np.zeros(9, np.int64)) == 1


def test_more_restarts_are_never_worse_and_no_cluster_stays_empty() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(loc=centre, scale=0.01, size=(100, 3)) for centre in range(8)]).astype(
        np.float32
    )
    one, many = (kmeans(points, 8, init="random", restarts=restarts, seed=3) for restarts in (1, 8))
    apart = kmeans(points, 8, seed=3)
    inertia = []
    for centroids in (one, many, apart):
        labels, distances = Searcher(centroids).nearest(points)
        assert len(np.unique(labels)) == 8
        expected = metrics.pairwise.euclidean_distances(points.astype(np.float64), centroids.astype(np.float64))
        assert np.allclose(distances, expected.min(axis=1), atol=1e-5)
        inertia.append(float((distances**2).sum()))
    assert inertia[1] <= inertia[0]
    assert inertia[2] < 1
    assert inertia[2] <= inertia[1]


def test_the_command_says_how_good_clusters_are(dataset: bm.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["cluster", str(dataset.path), "--features", "planted", "--k", "5"]
    assert main(argv) == 0
    told = capsys.readouterr().out
    assert "in 5 clusters" in told
    assert "two seeds agree by 1.000" in told
    assert main([*argv, "--log-format", "json"]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (summary["k"], summary["parts"]) == (5, 0)
    assert main(["cluster", str(dataset.path), "--features", "nothing"]) == 1
