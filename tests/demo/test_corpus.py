"""The corpus is the same each time, varied, sound where it should be, and at one with its truth."""

from __future__ import annotations

import hashlib
import io
import re
import sys
from collections import Counter
from html.entities import name2codepoint
from typing import TYPE_CHECKING

import pytest
from lxml import etree
from PIL import Image

from biomedica import demo
from biomedica.demo import broken
from biomedica.demo.corpus import CONCEPT_NAMES
from biomedica.demo.write.licence import LICENCES
from biomedica.demo.write.parts import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from demo.conftest import Corpus

PIL_FORMATS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "tiff": "TIFF"}
NOT_OF_XML = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|cohort|unit);)([A-Za-z]+);")


def digest(directory: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        total.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def documents(corpus: Corpus) -> list[tuple[str, bytes]]:
    packages = dict.fromkeys(article["package"] for article in corpus.articles)
    return [
        (f"{package}: {name}", data)
        for package in packages
        for name, data in corpus.files_of(package).items()
        if name.endswith(("xml", "nxml"))
    ]


def test_same_arguments_give_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    for name, threads in (("one", 1), ("two", 2)):
        demo.make(tmp_path / name, articles=14, seed=3, threads=threads)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_another_seed_gives_another_corpus(tmp_path: Path) -> None:
    for seed in (1, 2):
        demo.make(tmp_path / str(seed), articles=3, seed=seed)
    assert digest(tmp_path / "1") != digest(tmp_path / "2")


def test_a_finished_corpus_stays_and_one_of_other_arguments_is_replaced(tmp_path: Path) -> None:
    packages = demo.make(tmp_path, articles=3)
    mark = packages / "mark"
    mark.touch()
    assert demo.make(tmp_path, articles=3) == packages
    assert mark.exists()
    demo.make(tmp_path, articles=4)
    assert not mark.exists()


def test_a_run_that_was_stopped_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = demo.make(tmp_path, articles=3)
    expected = digest(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(broken, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            demo.make(tmp_path, articles=4)
    assert demo.make(tmp_path, articles=3) == packages
    assert digest(tmp_path) == expected


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_directory_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    with pytest.raises(FileExistsError, match="not made by biomedica demo"):
        demo.make(tmp_path, articles=3)


@pytest.mark.parametrize(("articles", "seed", "threads"), [(0, 0, None), (5, -1, None), (5, 0, 0)])
def test_arguments_out_of_range_are_refused(tmp_path: Path, articles: int, seed: int, threads: int | None) -> None:
    with pytest.raises(ValueError, match="must"):
        demo.make(tmp_path, articles=articles, seed=seed, threads=threads)


def test_without_pillow_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape("pip install biomedica[demo]")) as caught:
        demo.make(tmp_path)
    assert "\n" not in str(caught.value)


def test_every_kind_of_thing_occurs(corpus: Corpus) -> None:
    seen = {name: {row[name] for row in corpus.figures} for name in corpus.figures[0] if name not in LISTS}
    assert seen["status"] == {"ok", "no_image", "no_caption", "too_small", "unreadable_image", "unsupported_format"}
    assert seen["image_kind"] == {"fig", "table", "chem", "box", "graphical-abstract", "other"}
    assert seen["caption_source"] == {"own", "group", "parent", "label", "none"}
    assert seen["image_format"] == {"jpeg", "png", "gif", "tiff", None}
    assert seen["subset"] == {"commercial", "noncommercial", "other"}
    assert seen["in_sub_article"] == {True, False}
    assert seen["concept"] >= set(CONCEPT_NAMES)
    assert seen["fault"] >= {*FAULTS, "cut_package", None}
    assert {row["licence_case"] for row in corpus.articles} == {licence.name for licence in LICENCES}
    assert {row["publisher"] for row in corpus.articles} == {"plos", "elife", "elsevier", "frontiers", "bmc", "pmc"}
    places = {row["package"].partition("/")[0] for row in corpus.articles}
    assert places == {"oa_package", "directories", "loose", "oa_bulk"}


LISTS = ("image_context", "image_size", "attributes", "panels")


def test_imperfect_figures_are_the_documented_share(corpus: Corpus) -> None:
    faults = Counter(row["fault"] for row in corpus.figures if row["package"].startswith(("oa_package", "directories")))
    sound = faults.pop(None)
    assert 0.01 < faults.total() / (sound + faults.total()) < 0.10
    assert Counter(row["status"] for row in corpus.figures)["ok"] > 0.7 * len(corpus.figures)


def test_every_document_is_well_formed_and_of_realistic_size(corpus: Corpus) -> None:
    found = documents(corpus)
    assert len(found) == len(corpus.articles)
    for name, data in found:
        # Named entities are those of the JATS DTDs, which are not fetched: each must be one that HTML knows too.
        text = NOT_OF_XML.sub(lambda match: f"&#{name2codepoint[match[1]]};", data.decode())
        root = etree.fromstring(text.encode(), etree.XMLParser(no_network=True))
        assert root.tag == "article", name
        assert 12_000 < len(data) < 80_000, name


def test_broken_packages_lie_where_the_truth_says(corpus: Corpus) -> None:
    reasons = {row["kind"]: row["reason"] for row in corpus.failures}
    assert set(reasons.values()) == {"truncated", "malformed", "no_xml", "empty", "corrupt"}
    for row in corpus.failures:
        assert (corpus.packages / row["package"]).is_file()
        if row["kind"] in {"cut_in_xml", "empty_file", "corrupt_gzip", "no_xml"}:
            files = corpus.files_of(row["package"])
            assert not any(data.rstrip().endswith(b"</article>") for data in files.values()), row


def test_the_truth_names_image_files_that_are_there_and_as_told(corpus: Corpus) -> None:
    files: dict[str, dict[str, bytes]] = {}
    for row in corpus.figures:
        name, package = row["image_file_name"], row["package"]
        if name is None:
            assert row["status"] == "no_image"
            continue
        data = files.setdefault(package, corpus.files_of(package))[name]
        assert len(data) == row["image_num_bytes"]
        if row["image_size"] is None:
            assert row["status"] in {"unreadable_image", "unsupported_format"}
            continue
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, list(image.size)) == (PIL_FORMATS[row["image_format"]], row["image_size"])
            if row["fault"] != "cut_scan":
                image.load()


def test_image_modes_beyond_the_ordinary_occur(corpus: Corpus) -> None:
    modes = set()
    for package in dict.fromkeys(row["package"] for row in corpus.figures if row["image_size"]):
        for name, data in corpus.files_of(package).items():
            if name.endswith((".jpg", ".png", ".tif")) and data[:1] != b"<" and len(data) > 24:
                with Image.open(io.BytesIO(data)) as image:
                    modes.add((image.format, image.mode, image.getexif().get(0x0112)))
    wanted = {
        ("JPEG", "CMYK", None),
        ("JPEG", "RGB", 6),
        ("JPEG", "L", None),
        ("PNG", "P", None),
        ("PNG", "RGBA", None),
    }
    assert modes >= {*wanted, ("PNG", "I;16", None), ("TIFF", "I;16", None), ("TIFF", "RGB", None)}


def test_identities_are_unique_and_counted(corpus: Corpus) -> None:
    ids = [row["image_id"] for row in corpus.figures]
    assert len(set(ids)) == len(ids)
    assert all("." not in identifier for identifier in ids)
    counts = Counter(row["article_accession_id"] for row in corpus.figures)
    assert len(corpus.articles) == len({row["article_accession_id"] for row in corpus.articles})
    for article in corpus.articles:
        assert article["article_figure_count"] == counts[article["article_accession_id"]]


def test_texts_are_collapsed_and_captions_tell_of_the_drawing(corpus: Corpus) -> None:
    for row in corpus.figures:
        for text in [row["caption"] or "", row["group_caption"] or "", *row["image_context"]]:
            assert text == " ".join(text.split())
            assert "{" not in text.replace("\\begin{", ""), text
        if row["status"] == "ok" and row["concept"] == "ecg":
            assert row["attributes"]["rhythm"] in row["caption"]
        if row["panels"]:
            assert len(row["panels"]) == row["attributes"]["panels"]
    mentioned = sum(bool(row["image_context"]) for row in corpus.figures)
    assert mentioned > 0.7 * len(corpus.figures)
