"""Duplicates: copies are found in whatever size, quality and position, and little else is."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image

import biomedica as bm
from biomedica import _core, _images
from biomedica.cli import main
from biomedica.demo import draw
from bucket import Bucket
from made import document, tar_gz

TURNS = list(Image.Transpose)
QUALITIES = (30, 60, 95)
SCALES = (0.3, 0.6, 1.5, 2.0)


def drawing(concept: str, seed: int) -> Image.Image:
    return draw.CONCEPTS[concept](np.random.default_rng(seed)).image.convert("RGB")


def encoded(image: Image.Image, quality: int = 90, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, scale: float) -> Image.Image:
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)


def copies(image: Image.Image) -> list[bytes]:
    return [
        *(encoded(image, quality) for quality in QUALITIES),
        *(encoded(resized(image, scale), 85) for scale in SCALES),
        *(encoded(image.transpose(turn), 75) for turn in TURNS),
        encoded(resized(image.transpose(Image.Transpose.ROTATE_90), 0.4), 40),
        encoded(image, form="PNG"),
    ]


def hashes(images: list[bytes]) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    out = np.zeros(len(images), np.uint64)
    assert _core.hash_images(images, out, threads=2) == []
    return out


def distances(one: int, others: "np.ndarray[Any, np.dtype[np.uint64]]") -> "np.ndarray[Any, np.dtype[np.uint8]]":
    variants = np.array(_core.hash_variants(one), np.uint64)
    nearest: np.ndarray[Any, np.dtype[np.uint8]] = np.bitwise_count(variants[:, None] ^ others[None]).min(axis=0)
    return nearest


def packed(directory: Path, articles: Iterable[list[bytes]]) -> Path:
    """Articles PMC1, PMC2, …, each with these images as its figures."""
    directory.mkdir(exist_ok=True)
    for number, images in enumerate(articles, 1):
        name = f"PMC{number}"
        members = {f"{name}/{name}.nxml": document(number, len(images))}
        members |= {f"{name}/f{i}.jpg": image for i, image in enumerate(images, 1)}
        tar_gz(directory / f"{name}.tar.gz", members)
    return directory


def rows(dataset: bm.Dataset) -> dict[str, dict[str, Any]]:
    return {row["image_id"]: row for row in dataset.sidecar("duplicates").to_table().to_pylist()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    histology, ct, bar = drawing("histology", 1), drawing("fluorescence", 2), drawing("bar", 3)
    white = encoded(Image.new("RGB", (300, 200), "white"))
    return packed(
        tmp_path_factory.mktemp("duplicates") / "in",
        [
            [encoded(resized(histology, 0.5)), encoded(ct), white],
            [encoded(histology), encoded(bar), encoded(Image.new("RGB", (300, 200), "black"))],
            [encoded(histology.transpose(Image.Transpose.ROTATE_90), 60), encoded(drawing("radiograph", 4)), white],
        ],
    )


def test_planted_copies_are_found_and_other_drawings_are_not() -> None:
    originals = [drawing(concept, seed) for concept in draw.CONCEPTS for seed in (11, 12)]
    own = hashes([encoded(image) for image in originals])
    assert (own != 0).all()
    found = np.concatenate(
        [distances(int(value), hashes(copies(image))) for value, image in zip(own, originals, strict=True)]
    )
    recall = {threshold: float((found <= threshold).mean()) for threshold in (2, 4, 6)}
    assert recall[2] > 0.9
    assert recall[4] >= 0.98
    assert recall[6] >= 0.995
    others = np.concatenate([distances(int(value), own[at + 1 :]) for at, value in enumerate(own[:-1])])
    # Two drawings of one concept may be one template; most of the others are nowhere near.
    assert (others <= 4).mean() < 0.01
    assert (others <= 10).mean() < 0.02


def test_a_group_has_its_largest_image_as_representative(source: Path, tmp_path: Path) -> None:
    dataset = bm.extract(source, tmp_path / "out", part_size=1)
    states: list[bm.Duplicates] = []
    found = bm.duplicates(dataset, progress=states.append)
    assert (found.pairs, found.total_pairs, found.without_hash) == (9, 9, 3)
    assert (found.groups, found.duplicates, found.largest_group) == (2, 3, 3)
    assert states[-1].duplicates == found.duplicates
    assert [state.pairs for state in states] == sorted(state.pairs for state in states)
    table = rows(dataset)
    assert list(table) == dataset.figures().to_table(columns=["image_id"])["image_id"].to_pylist()
    # The turned copy is as large as the original, which comes first.
    groups = {
        name: row["image_duplicate_group"] for name, row in table.items() if row["image_duplicate_group"] is not None
    }
    assert groups == {"PMC1_0001": 1, "PMC2_0001": 1, "PMC3_0001": 1, "PMC1_0003": 0, "PMC3_0003": 0}
    copies = {name for name, row in table.items() if row["image_is_representative"] is False}
    assert copies == {"PMC1_0001", "PMC3_0001", "PMC3_0003"}
    assert table["PMC2_0001"]["image_duplicate_distance"] == 0
    assert all(table[name]["image_duplicate_distance"] <= 4 for name in groups)
    assert table["PMC2_0003"]["image_duplicate_distance"] is None
    phash = dataset.sidecar("hashes").to_table(columns=["image_phash"])["image_phash"]
    assert phash.null_count == 3
    assert json.loads((dataset.path / "duplicates" / "duplicates.json").read_bytes())["groups"] == 2
    assert dataset.verify(deep=True)


def test_a_run_that_was_stopped_goes_on_with_the_next_part(source: Path, tmp_path: Path) -> None:
    dataset = bm.extract(source, tmp_path / "out", part_size=1)

    def stop(state: bm.Duplicates) -> None:
        if state.pairs > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bm.duplicates(dataset, progress=stop)
    first = (dataset.path / "hashes" / "000000.parquet").stat().st_mtime_ns
    assert not (dataset.path / "hashes" / "000001.parquet").exists()
    with pytest.raises(bm.DatasetError, match="no sidecar duplicates"):
        dataset.sidecar("duplicates")
    states: list[bm.Duplicates] = []
    bm.duplicates(dataset, progress=states.append)
    assert states[0].pairs == 3
    assert (dataset.path / "hashes" / "000000.parquet").stat().st_mtime_ns == first
    assert len(rows(dataset)) == 9


def test_what_an_update_withdrew_is_in_no_group(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "in"
    copy.mkdir()
    for path in source.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    dataset = bm.extract(copy, tmp_path / "out")
    bm.duplicates(dataset)
    (copy / "PMC2.tar.gz").unlink()
    dataset = bm.extract(copy, tmp_path / "out")
    found = bm.duplicates(dataset)
    assert (found.pairs, found.total_pairs, found.duplicates) == (6, 6, 2)
    table = rows(dataset)
    assert set(table) == {f"PMC{number}_000{i}" for number in (1, 3) for i in (1, 2, 3)}
    assert table["PMC3_0001"]["image_is_representative"] is True
    assert table["PMC1_0001"]["image_is_representative"] is False


def test_a_dataset_in_a_store_has_the_same_duplicates(source: Path, tmp_path: Path) -> None:
    local = bm.extract(source, tmp_path / "out", part_size=2)
    bm.duplicates(local)
    bucket = Bucket()
    try:
        options = bucket.options()
        remote = bm.extract(source, "s3://lab/set", part_size=2, storage_options=options)
        bm.duplicates("s3://lab/set", storage_options=options)
        for name in ("hashes", "duplicates"):
            assert remote.sidecar(name).to_table() == local.sidecar(name).to_table()
    finally:
        bucket.close()


def test_damaged_shards_are_named_and_options_are_checked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = bm.extract(source, tmp_path / "out")
    wrongs: list[dict[str, Any]] = [{"threshold": 17}, {"threshold": -1}, {"threads": 0}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            bm.duplicates(dataset, **wrong)
    monkeypatch.setattr(_images, "RUN", 1)
    assert bm.duplicates(dataset, threads=1).duplicates == 3
    shard = dataset.shards()[0]
    (dataset.path / "hashes" / "000000.parquet").unlink()
    data = bytearray(shard.read_bytes())
    data[:4] = b"PMC9"
    shard.write_bytes(data)
    with pytest.raises(bm.DatasetError, match="not the image PMC1_0001"):
        bm.duplicates(dataset)


def test_images_that_cannot_be_decoded_have_neither_hash_nor_descriptor() -> None:
    good = encoded(drawing("histology", 5))
    images = [good, good[: len(good) // 2], b"", b"<html>"]
    out = np.full(4, 7, np.uint64)
    failed = _core.hash_images(images, out)
    assert [index for index, _ in failed] == [1, 2, 3]
    assert out[0] != 0
    assert (out[1:] == 0).all()
    descriptors = np.full((4, _core.DESCRIPTOR_LENGTH), np.nan, np.float32)
    assert [index for index, _ in _core.describe_images(images, descriptors)] == [1, 2, 3]
    assert np.linalg.norm(descriptors[0]) == pytest.approx(1, abs=1e-4)
    assert (descriptors[1:] == 0).all()
    with pytest.raises(ValueError, match="shape"):
        _core.describe_images(images, descriptors[:3])
    with pytest.raises(BufferError, match="uint64"):
        _core.hash_images(images, descriptors)  # type: ignore[arg-type]


def test_the_descriptor_tells_what_kind_of_image_it_is() -> None:
    concepts = ("histology", "fluorescence", "radiograph", "ecg", "bar", "scatter", "flowchart", "table")
    images = [encoded(drawing(concept, seed)) for concept in concepts for seed in range(8)]
    descriptors = np.empty((len(images), _core.DESCRIPTOR_LENGTH), np.float32)
    assert _core.describe_images(images, descriptors, threads=2) == []
    likeness = descriptors @ descriptors.T
    np.fill_diagonal(likeness, -1)
    kind = np.arange(len(images)) // 8
    assert (kind[likeness.argmax(axis=1)] == kind).mean() > 0.9


def test_the_command_says_what_it_found(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = bm.extract(source, tmp_path / "out")
    assert main(["duplicates", str(dataset.path), "--log-format", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["duplicates"], summary["groups"], summary["threshold"]) == (3, 2, 4)
    assert main(["duplicates", str(dataset.path), "--threshold", "99"]) == 2
    assert "within 0 to 16" in capsys.readouterr().err
    assert main(["duplicates", str(tmp_path / "none")]) == 1
    representative = pc.field("image_is_representative")
    assert dataset.sidecar("duplicates").count_rows(filter=representative) == 6
