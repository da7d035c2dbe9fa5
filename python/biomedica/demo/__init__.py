"""A synthetic corpus of article packages, for demonstrations and as the oracle of end-to-end tests.

`make` draws figures, writes articles around them in the JATS of six publishers, and packs them as PubMed Central did.
Beside the packages lies what a careful reader would note of them, computed while they were written:

    DIR/packages/oa_package/…/PMCn.tar.gz   legacy packages: nxml, images, thumbnails, sometimes a PDF
    DIR/packages/directories/PMCn/          the same files unpacked
    DIR/packages/loose/{nxml,xml}/PMCn.*    XML alone
    DIR/packages/oa_bulk/….tar.gz           many XML-only articles in one tarball
    DIR/truth.jsonl                         a line a figure, by the names of the figures table
    DIR/truth_articles.jsonl                a line an article
    DIR/truth_failures.jsonl                a line a package that is broken on purpose, with the reason it must fail for
    DIR/demo.json                           options and counts; written last

Imperfect on purpose: every fifth article has one faulty figure (file missing, no href, no caption, 10 x 10 pixels, cut
in its pixels, cut in its header, a web page under an image's name, or an EPS), one article in twelve comes as XML alone in the
bulk tarball and one in twenty as a loose file (all their figures lack images), and six packages are broken.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["make"]


def make(directory: str | Path, *, articles: int = 200, seed: int = 0, threads: int | None = None) -> Path:
    """Write the demo corpus below `directory`; the same arguments give the same bytes.

    Args:
        directory: Where to write; made when missing. A corpus that is there already with the same arguments stays,
            one with others is replaced.
        articles: Articles to write; six broken packages come on top.
        seed: Varies everything.
        threads: Threads to draw with; as many as there are cores, at most 8, by default. The bytes do not depend on it.

    Returns:
        The directory of the packages, ready to be extracted.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
        FileExistsError: `directory/packages` exists and no demo made it.
        ValueError: `articles`, `seed` or `threads` is out of range.

    Example:
        >>> import biomedica.demo
        >>> packages = biomedica.demo.make("demo", articles=20)  # doctest: +SKIP
    """
    if articles < 1:
        msg = f"articles must be at least 1, not {articles}"
        raise ValueError(msg)
    if seed < 0 or (threads is not None and threads < 1):
        msg = f"seed must not be negative and threads at least 1, not {seed} and {threads}"
        raise ValueError(msg)
    if importlib.util.find_spec("PIL") is None:
        msg = "the demo corpus needs Pillow: pip install biomedica[demo]"
        raise ModuleNotFoundError(msg, name="PIL")
    from biomedica.demo import corpus

    return corpus.make(Path(directory), articles, seed, threads)
