"""The demo corpus in the layout of the cloud bucket, as it is in one month or in the next.

    DIR/PMCn.v/PMCn.v.xml, .txt, .json, images     a version of an article
    DIR/metadata/PMCn.v.json                       what is known of it
    DIR/inventory-reports/BUCKET/metadata/DATE/manifest.json, …/data/*.csv.gz
                                                   all of `metadata/`, in no order, some rows twice

By its place among the packages, an article has one version, a manuscript and then the published one, or the published one
and then a manuscript; some are retracted. From the first month to the next, of six articles one appears, one goes, and one
changes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biomedica._core import parse_article
from biomedica.demo import pack
from biomedica.exceptions import BiomedicaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BUCKET", "DATES", "make"]

BUCKET = "pmc-oa-opendata"
DATES = ("2026-09-01T01-00Z", "2026-10-01T01-00Z")
"""When the inventories of the two months were made."""
VERSIONS = ((False,), (False,), (True, False), (False,), (False, True))
"""For each version whether it is a manuscript; articles take turns."""
RETRACTED_EVERY = 7
MONTHS = 6
NEW, GONE, CHANGED = 0, 1, 2
"""What comes of an article, by its number modulo `MONTHS`, in the second month."""


def make(packages: str | Path, directory: str | Path, *, month: int = 0, bucket: str = BUCKET) -> Path:
    """Write the articles of the `.tar.gz` packages below `packages` as the bucket has them in `month`, 0 or 1.

    A `directory` of the first month becomes one of the second, with both inventories. The bytes depend on the arguments
    alone. Packages that cannot be read, or have no XML, are passed over.

    Returns:
        The directory: a mirror, or what is to be put into the bucket.
    """
    directory = Path(directory)
    rows = []
    for index, path in enumerate(sorted(Path(packages).rglob("PMC*.tar.gz"))):
        state = index % MONTHS
        is_there = state != (GONE if month else NEW)
        is_changed = month > 0 and state == CHANGED
        members = _members(path)
        if members is None:
            continue
        accession = path.name.removesuffix(".tar.gz")
        for version, is_manuscript in enumerate(VERSIONS[index % len(VERSIONS)], 1):
            name = f"{accession}.{version}"
            if not is_there:
                shutil.rmtree(directory / name, ignore_errors=True)
                (directory / "metadata" / f"{name}.json").unlink(missing_ok=True)
                continue
            metadata = _write(directory, name, members, bucket, is_changed=is_changed) | {
                "is_manuscript": is_manuscript,
                "is_retracted": index % RETRACTED_EVERY == RETRACTED_EVERY - 1,
            }
            data = (json.dumps(metadata, indent=1) + "\n").encode()
            key = f"metadata/{name}.json"
            pack.write(directory / name / f"{name}.json", data)
            pack.write(directory / key, data)
            day = DATES[month if is_changed or (month and state == NEW) else 0][:10]
            rows.append((bucket, key, f"{day}T00:00:00.000Z", _md5(data)))
    _inventory(directory, bucket, DATES[month], rows)
    return directory


def _members(path: Path) -> dict[str, bytes] | None:
    """The files of a package, the XML as `.xml`; None when it is broken or has none."""
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    members[Path(member.name).name] = file.read()
    except (tarfile.TarError, EOFError, OSError):
        return None
    documents = [name for name in members if name.endswith((".nxml", ".xml"))]
    if len(documents) != 1 or not members[documents[0]]:
        return None
    return {".xml": members.pop(documents[0])} | members


def _write(directory: Path, name: str, members: dict[str, bytes], bucket: str, *, is_changed: bool) -> dict[str, Any]:
    """The files of a version, and what its metadata say of them."""
    xml = members[".xml"] + (b"<!-- corrected -->\n" if is_changed else b"")
    files = {f"{name}.xml": xml, f"{name}.txt": b"text\n"}
    files |= {file: data for file, data in members.items() if file != ".xml"}
    pack.write_directory(directory / name, files.items())

    def url(file: str) -> str:
        return f"s3://{bucket}/{name}/{file}?md5={_md5(files[file])}"

    accession, _, version = name.partition(".")
    pdf = next((url(file) for file in members if file.endswith(".pdf")), None)
    return {
        "pmcid": accession,
        "version": int(version),
        "pmid": int(accession.removeprefix("PMC")) + 10_000_000,
        "doi": f"10.5555/{accession.lower()}",
        "title": f"Article {accession}",
        "citation": f"Demo. 2026; {accession}.",
        "is_pmc_openaccess": True,
        "is_historical_ocr": False,
        "license_code": _license(members[".xml"]),
        "xml_url": url(f"{name}.xml"),
        "pdf_url": pdf,
        "text_url": url(f"{name}.txt"),
        "media_urls": [url(file) for file in members if file != ".xml" and not file.endswith(".pdf")],
    }


def _license(xml: bytes) -> str | None:
    """The licence's name, as far as the document can be read."""
    try:
        code: str | None = parse_article(xml)["article_license"]
    except BiomedicaError:
        return None
    return code


def _inventory(directory: Path, bucket: str, date: str, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """A manifest and its two files: what S3 Inventory writes, which knows no order."""
    mixed = sorted(rows, key=lambda row: row[3])
    half = len(mixed) // 2
    other = (bucket, "metadata/", f"{date[:10]}T00:00:00.000Z", _md5(b""))
    base = f"inventory-reports/{bucket}/metadata"
    files = []
    for number, part in enumerate((mixed[: half + 1], [other, *mixed[half:]])):
        data = gzip.compress(_csv(part), mtime=0)
        key = f"{base}/data/{date}-{number}.csv.gz"
        pack.write(directory / key, data)
        files.append({"key": key, "size": len(data), "MD5checksum": _md5(data)})
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, LastModifiedDate, ETag",
        "files": files,
    }
    pack.write(directory / base / date / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    return "".join(",".join(f'"{value}"' for value in row) + "\n" for row in rows).encode()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
