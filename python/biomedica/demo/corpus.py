"""The corpus as a whole: which article is written how, packed how, and what is wrong with it on purpose.

Article number `i` of a seed depends on the two numbers alone, so articles can be made in any order by any number of
threads, and a larger corpus begins like a smaller one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biomedica.demo import broken, encode, pack, words
from biomedica.demo.draw import CONCEPTS
from biomedica.demo.write import PUBLISHERS
from biomedica.demo.write.doc import Doc
from biomedica.demo.write.front import Meta
from biomedica.demo.write.licence import LICENCES, WEIGHTS
from biomedica.demo.write.parts import FAULTS, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from biomedica.demo.write.doc import Row

VERSION = 2
"""Raised whenever the same seed gives other bytes than before."""
CYCLE, LOOSE, UNPACKED = 20, 14, 7
"""Packaging repeats with this period: in each, one loose file and one directory beside the tarballs."""
FAULT_EVERY = 5
"""One article in so many has one faulty figure; the faults take turns."""
BULK_SHARE = 12
"""One article in so many is published as XML alone in one large tarball."""
ID_STYLES = ("bare", "bare", "prefixed", "pmcid", "bare", "bare", "bare", "pmcid")
CONCEPT_NAMES = (*CONCEPTS, "composite")
RARE_EVERY = 7
"""The first figure of one article in so many is a file of an unusual make."""


@dataclass
class Made:
    """One article, written."""

    meta: Meta
    doc: Doc
    xml: bytes
    images: bool


def make(directory: Path, articles: int, seed: int, threads: int | None) -> Path:
    """See `biomedica.demo.make`, which checks the arguments."""
    packages, draft = directory / "packages", directory / ".packages.part"
    wanted = {"generator": "biomedica demo", "version": VERSION, "articles": articles, "seed": seed}
    found = _manifest(directory)
    if found == found | wanted and found.get("complete"):
        return packages
    if packages.exists() and found.get("generator") != wanted["generator"]:
        msg = f"{packages}: exists and was not made by biomedica demo; choose another directory"
        raise FileExistsError(msg)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    # From here until the last line the directory says that it is unfinished: whatever stops the run, the next one
    # knows whose packages these are and makes them anew.
    _save_manifest(directory, wanted | {"complete": False})
    counts = _write_all(draft, directory, articles, seed, threads)
    shutil.rmtree(packages, ignore_errors=True)
    draft.rename(packages)
    _save_manifest(directory, wanted | {"complete": True} | counts)
    return packages


def _manifest(directory: Path) -> Row:
    """What `demo.json` says; nothing when there is none that can be read."""
    try:
        found = json.loads((directory / "demo.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _save_manifest(directory: Path, row: Row) -> None:
    pack.write(directory / "demo.json", (json.dumps(row, indent=2) + "\n").encode())


def _write_all(draft: Path, directory: Path, articles: int, seed: int, threads: int | None) -> dict[str, int]:
    """Every package below `draft`; the three files of truth beside it."""
    bulk = max(1, articles // BULK_SHARE)
    single = articles - bulk
    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        done = list(pool.map(lambda index: _single(draft, index, seed), range(single)))
        written = list(pool.map(lambda index: _article(index, seed, images=False), range(single, articles)))
    name = "oa_bulk/oa_comm_xml.PMC009xxxxxx.baseline.2024-06-18.tar.gz"
    pack.write(draft / name, pack.tarball((f"PMC009xxxxxx/{a.meta.accession}.xml", a.xml) for a in written))
    done += [_truth(article, name) for article in written]
    failures = broken.write(draft / "oa_package/ff", seed, "oa_package/ff")
    cut, cut_failure = _cut_package(draft, articles, seed)
    done.append(cut)
    failures.append(cut_failure)
    _jsonl(directory / "truth.jsonl", [row for figures, _ in done for row in figures])
    _jsonl(directory / "truth_articles.jsonl", [row for _, row in done])
    _jsonl(directory / "truth_failures.jsonl", failures)
    return {
        "packages": single + 1 + len(failures),
        "figures": sum(len(figures) for figures, _ in done),
        "failures": len(failures),
    }


def _jsonl(path: Path, rows: list[Row]) -> None:
    pack.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def _article(index: int, seed: int, *, images: bool = True, plan: Plan | None = None) -> Made:
    """Article `index` of the corpus of `seed`."""
    rng = np.random.default_rng([seed, index])
    publisher = list(PUBLISHERS)[index % len(PUBLISHERS)]
    licence = (
        LICENCES[(index * 7) % len(LICENCES)]
        if index < len(LICENCES)
        else LICENCES[int(rng.choice(len(LICENCES), p=np.asarray(WEIGHTS) / sum(WEIGHTS)))]
    )
    number = 9_000_000 + (seed % 1000) * 1000 + index if index < 1000 else 10_000_000 + index
    style = "none" if index % 40 == 9 else ID_STYLES[index % len(ID_STYLES)]
    year, month, day = int(rng.integers(2004, 2025)), int(rng.integers(1, 13)), int(rng.integers(1, 29))
    meta = Meta(
        number,
        publisher,
        licence,
        words.topic(rng),
        f"PMC{number}",
        style,
        date_style=int(rng.integers(7)),
        year=year,
        month=month,
        day=day,
    )
    if style == "none":
        meta.accession = re.sub(r"[^a-z0-9]+", "-", meta.doi.lower())
    if plan is None:
        plan = Plan(int(rng.integers(2, 6)), images=images, first_concept=CONCEPT_NAMES[index % len(CONCEPT_NAMES)])
        if images and index % FAULT_EVERY == 3:
            plan.faults[1] = FAULTS[index // FAULT_EVERY % len(FAULTS)]
        if index % RARE_EVERY == 1:
            plan.rare_form = encode.RARE_FORMS[index // RARE_EVERY % len(encode.RARE_FORMS)]
    doc = Doc(rng, PUBLISHERS[publisher].spelling(rng))
    xml = PUBLISHERS[publisher].write(doc, meta, plan).encode()
    return Made(meta, doc, xml, images)


def _truth(article: Made, package: str) -> tuple[list[Row], Row]:
    """The figures' rows and the article's row."""
    meta = article.meta
    figures = article.doc.truth(meta.accession, package, meta.licence.code, meta.licence.conflict)
    subset = figures[0]["subset"] if figures else "other"
    return figures, {
        **meta.row,
        "subset": subset,
        "article_figure_count": len(figures),
        "package": package,
        "publisher": meta.publisher,
        "licence_case": meta.licence.name,
    }


def _members(article: Made) -> list[tuple[str, bytes]]:
    """XML first, as PMC packs it, then the images, then now and then a PDF."""
    stem = f"{article.meta.publisher}-{article.meta.number}"
    members = [(f"{stem}.nxml", article.xml), *article.doc.files.items()]
    if article.meta.number % 3 == 0:
        members.append((f"{stem}.pdf", encode.small_pdf(article.meta.title.text)))
    return members


def _single(draft: Path, index: int, seed: int) -> tuple[list[Row], Row]:
    """One article in a package of its own."""
    loose, directory = index % CYCLE == LOOSE, index % CYCLE == UNPACKED
    article = _article(index, seed, images=not loose)
    folder = f"PMC{article.meta.number}"
    if loose:
        kind = "xml" if index % (2 * CYCLE) == LOOSE else "nxml"
        name = f"loose/{kind}/{folder}.{kind}"
        pack.write(draft / name, article.xml)
    elif directory:
        name = f"directories/{folder}"
        pack.write_directory(draft / name, _members(article))
    else:
        name = f"oa_package/{index % 16:02x}/{index * 37 % 256:02x}/{folder}.tar.gz"
        members = [(f"{folder}/{file}", data) for file, data in _members(article)]
        pack.write(draft / name, pack.tarball(members, folder if index % 2 else None))
    return _truth(article, name)


def _cut_package(draft: Path, index: int, seed: int) -> tuple[tuple[list[Row], Row], Row]:
    """A tarball that ends within its last image: the article stays, that one figure loses its image."""
    index += -index % len(PUBLISHERS)  # PLOS writes plain hrefs
    article = _article(index, seed, plan=Plan(3, form="jpeg"))
    last = article.doc.figures[-1]
    stem, name = (last.file or "").rpartition(".")[0], last.file or ""
    data = article.doc.files.pop(name)
    article.doc.files.pop(f"{stem}.gif", None)
    last.file, last.encoded, last.fault = None, None, "cut_package"
    folder = f"PMC{article.meta.number}"
    members = [(f"{folder}/{file}", content) for file, content in [*_members(article), (name, data)]]
    whole = pack.tarball(members)
    package = f"oa_package/ff/ff/{folder}.tar.gz"
    pack.write(draft / package, whole[: len(whole) - len(data) // 2])
    failure: Row = {
        "package": package,
        "article_accession_id": article.meta.accession,
        "kind": "cut_in_image",
        "reason": "truncated",
    }
    return _truth(article, package), failure
