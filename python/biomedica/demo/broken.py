"""Packages from which no article can be read, and the reason each must fail for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biomedica.demo import encode, pack

if TYPE_CHECKING:
    from pathlib import Path

    from biomedica.demo.write.doc import Row


def write(directory: Path, seed: int, place: str) -> list[Row]:
    """One package of every kind into `directory`, called `place` within the packages; a row for each."""
    rows: list[Row] = []
    for number, (kind, reason, is_named, data) in enumerate(_kinds(seed)):
        name = f"PMC{8_000_000 + number}.tar.gz"
        pack.write(directory / f"{number:02x}" / name, data)
        package = f"{place}/{number:02x}/{name}"
        accession = f"PMC{8_000_000 + number}" if is_named else None
        rows.append({"package": package, "article_accession_id": accession, "kind": kind, "reason": reason})
    return rows


def _kinds(seed: int) -> list[tuple[str, str, bool, bytes]]:
    """What is wrong, its word in the failures table, whether what can be read names the article, and the bytes."""
    rng = np.random.default_rng([seed, 1 << 32])
    text = b"".join(b"<p>%d</p>" % value for value in rng.integers(0, 1 << 40, 4000))
    xml = b'<?xml version="1.0"?><article><front/><body><sec>' + text + b"</sec></body></article>"
    noise = rng.integers(0, 256, 30_000, dtype=np.uint8).tobytes()
    cut, garbled = (pack.tarball([(f"PMC{number}/a.nxml", xml)]) for number in (8_000_000, 8_000_004))
    return [
        ("cut_in_xml", "truncated", True, cut[: len(cut) // 2]),
        (
            "malformed_xml",
            "malformed",
            True,
            pack.tarball([("PMC8000001/a.nxml", xml.replace(b"</sec>", b"</seq>"))]),
        ),
        (
            "no_xml",
            "no_xml",
            False,
            pack.tarball([("PMC8000002/a.pdf", encode.small_pdf("Empty")), ("PMC8000002/b.bin", noise)]),
        ),
        ("empty_file", "empty", False, b""),
        ("corrupt_gzip", "corrupt", True, garbled[:2000] + bytes(200) + garbled[2200:]),
    ]
