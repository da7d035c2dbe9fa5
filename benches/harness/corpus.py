"""What is measured on: real articles when `../shared/data` is there, else those that the demo draws.

The real packages are few, so each is copied under other names until there are enough bytes. A copy has its own DOI,
else it would be the same article again; its images are the same bytes, which no contender can gain from.
"""

import gzip
import io
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import biomedica
from harness.measure import ROOT

REAL = ROOT / "../shared/data"
WORK = ROOT / "target/bench"
"""Beside the build, so that all that is written goes to one disk."""

COPIES = 15
DEMO_ARTICLES = 1000
FIRST_IDS = re.compile(rb'(<article-id[^>]*pub-id-type="(?:doi|pmc|pmcid)"[^>]*>[^<]*)(</article-id>)')
DOCUMENTS = (".nxml", ".xml")


@dataclass(frozen=True)
class Corpus:
    """Packages and single documents, and what to call them."""

    name: str
    packages: list[Path]
    documents: list[Path]

    @property
    def package_bytes(self) -> int:
        """Bytes of all packages, compressed."""
        return sum(path.stat().st_size for path in self.packages)

    @property
    def document_bytes(self) -> int:
        """Bytes of all documents."""
        return sum(path.stat().st_size for path in self.documents)


def corpus() -> Corpus:
    """The corpus of this machine, made under `target/bench` when it is not there yet."""
    packages = WORK / (f"real-{COPIES}" if REAL.is_dir() else f"demo-{DEMO_ARTICLES}")
    if not (packages / "complete").exists():
        shutil.rmtree(packages, ignore_errors=True)
        packages.mkdir(parents=True)
        if REAL.is_dir():
            for number, package in enumerate(sorted((REAL / "packages").glob("*.tar.gz")) * COPIES):
                copy_package(package, packages, number)
        else:
            biomedica.demo.make(packages, articles=DEMO_ARTICLES)
        (packages / "complete").touch()
    found = sorted(packages.rglob("PMC*.tar.gz") if not REAL.is_dir() else packages.glob("*.tar.gz"))
    if REAL.is_dir():
        documents = sorted(path for path in (REAL / "xml").rglob("*") if path.suffix in DOCUMENTS)
        return Corpus(f"{len(documents)} real articles, 6 real packages x {COPIES}", found, documents)
    return Corpus(f"demo corpus of {len(found)} packages", found, unpacked_documents(found))


def copy_package(package: Path, directory: Path, number: int) -> None:
    """Copy one `.tar.gz` as another article: its ids, its folder and its file name get `number` appended."""
    stem = package.name.removesuffix(".tar.gz")
    target = directory / f"{stem}-{number:04}.tar.gz"
    with (
        tarfile.open(package) as source,
        gzip.GzipFile(target, "wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as copy,
    ):
        for member in source:
            data = source.extractfile(member)
            if data is None:
                continue
            content = data.read()
            if member.name.endswith(DOCUMENTS):
                content = FIRST_IDS.sub(rb"\g<1>%04d\g<2>" % number, content)
            member.name = member.name.replace(stem, f"{stem}-{number:04}", 1)
            member.size = len(content)
            copy.addfile(member, io.BytesIO(content))


def unpacked_documents(packages: list[Path]) -> list[Path]:
    """The documents of `packages` as files of their own."""
    directory = WORK / "documents"
    directory.mkdir(exist_ok=True)
    documents = []
    for package in packages:
        with tarfile.open(package) as archive:
            for member in archive:
                data = archive.extractfile(member) if member.name.endswith(DOCUMENTS) else None
                if data is not None:
                    documents.append(directory / Path(member.name).name)
                    documents[-1].write_bytes(data.read())
    return documents
