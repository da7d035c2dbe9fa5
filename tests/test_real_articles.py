"""Real articles of several publishers, figure for figure: what was read of them, without copying their text.

Labels, kinds and sources are what a reader checks first; of captions and mentions the number of characters is kept, so
that a lost or invented word shows.
"""

import tarfile
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

import biomedica as bm

DATA = Path(__file__).parents[1] / "../shared/data"
DOCUMENTS = [
    "xml/other/1471-2180-11-174.nxml",
    "xml/other/ehp-116-1694.nxml",
    "xml/other/elife-56337.nxml",
    "xml/other/mds526.nxml",
    "xml/plos/journal.pbio.0020188.xml",
    "xml/plos/journal.pone.0046041.xml",
]
INLINE = {"elife-19405": {"elife-19405-inf1-v1.tif"}}
PACKAGES = ["biorxiv-471796", "elife-32671", "elife-19405"]
ARTICLE = ["article_accession_id", "article_date", "article_license", "license_conflict", "article_reference_count"]
TEXTS = ["article_title", "article_abstract", "article_text", "article_citation"]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")


def outline(article: dict[str, Any]) -> dict[str, Any]:
    """What a reader can check at a glance, texts by their length."""
    return {
        **{name: article[name] for name in ARTICLE},
        **{f"{name} characters": len(article[name] or "") for name in TEXTS},
        "authors": len(article["article_authors"]),
        "figures": [
            f"{figure['image_figure_id']} {figure['image_kind']} [{figure['image_label']}] {figure['image_file_name']} "
            f"{figure['caption_source']} {len(figure['caption'] or '')} characters, "
            f"mentions {[len(paragraph) for paragraph in figure['image_context']]}"
            for figure in article["figures"]
        ],
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_read_as_they_were_checked_by_eye(name: str, snapshot: SnapshotAssertion) -> None:
    assert outline(bm.parse_article((DATA / name).read_bytes())) == snapshot


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_are_read_as_they_were_checked_by_eye(name: str, snapshot: SnapshotAssertion) -> None:
    path = DATA / f"packages/{name}.tar.gz"
    with tarfile.open(path) as package:
        images = {Path(member.name).name for member in package if not member.name.endswith("xml")}
    (chunk,) = bm.read(path)
    figures = chunk.figures.to_pylist()
    # Every image of a package is some figure's, but for those of inline graphics.
    assert images - {figure["image_file_name"] for figure in figures if figure["image_hash"]} == INLINE.get(name, set())
    assert [
        f"{figure['image_id']} {figure['image_file_name']} {figure['image_format']} {figure['image_size']} {figure['status']}"
        for figure in figures
    ] == snapshot
