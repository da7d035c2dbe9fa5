"""What is measured on: real articles where some are given, else those that the demo draws.

The real packages are few, so each is copied under other names until there are enough bytes. A copy has its own DOI,
else it would be the same article again; its images are the same bytes, which no contender can gain from.
"""

import gzip
import io
import re
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from biomedica import demo, parse_article
from biomedica.exceptions import SourceNotFoundError, XmlError

COPIES = 15
FIRST_IDS = re.compile(rb'(<article-id[^>]*pub-id-type="(?:doi|pmc|pmcid)"[^>]*>[^<]*)(</article-id>)')
DOCUMENTS = (".nxml", ".xml")


@dataclass(frozen=True)
class Corpus:
    """Packages and single documents, and what to call them."""

    name: str
    packages: list[Path]
    documents: list[Path]
    work: Path
    """Where cases may write."""
    figures: int
    """How many figures tables have that are made up."""

    @property
    def package_bytes(self) -> int:
        """Bytes of all packages, compressed."""
        return sum(path.stat().st_size for path in self.packages)

    @property
    def document_bytes(self) -> int:
        """Bytes of all documents."""
        return sum(path.stat().st_size for path in self.documents)


def make_corpus(work: Path, data: Path | None, articles: int, figures: int) -> Corpus:
    """The corpus, made below `work` when it is not there yet.

    Args:
        work: Where cases write, on one disk.
        data: Real articles: packages in `packages/*.tar.gz`, documents anywhere in `xml`; without, the demo draws some.
        articles: How many it draws.
        figures: How many cases make up, where only tables are needed.

    Raises:
        SourceNotFoundError: There are no packages in `data`.
    """
    packages = work / (f"demo-{articles}" if data is None else f"real-{COPIES}")
    originals = [] if data is None else sorted((data / "packages").glob("*.tar.gz"))
    if data is not None and not originals:
        raise SourceNotFoundError(f"{data}: there are no packages in it (packages/*.tar.gz)")
    if not (packages / "complete").exists():
        shutil.rmtree(packages, ignore_errors=True)
        packages.mkdir(parents=True)
        if data is None:
            demo.make(packages, articles=articles)
        for number, package in enumerate(originals * COPIES):
            copy_package(package, packages, number)
        (packages / "complete").touch()
    if data is None:
        found, documents = unpacked(sorted(packages.rglob("PMC*.tar.gz")), work)
        return Corpus(f"demo corpus of {len(found)} packages", found, documents, work, figures)
    documents = sorted(path for path in (data / "xml").rglob("*") if path.suffix in DOCUMENTS)
    name = f"{len(documents)} real articles, {len(originals)} real packages x {COPIES}"
    return Corpus(name, sorted(packages.glob("*.tar.gz")), documents, work, figures)


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


def unpacked(packages: list[Path], work: Path) -> tuple[list[Path], list[Path]]:
    """The packages that can be read, as the demo's can but for a few, and their documents as files of their own."""
    directory = work / "documents"
    directory.mkdir(exist_ok=True)
    whole, documents = [], []
    for package in packages:
        try:
            with tarfile.open(package) as archive:
                files = {
                    member.name: archive.extractfile(member) for member in archive if member.name.endswith(DOCUMENTS)
                }
                read = {Path(name).name: file.read() for name, file in files.items() if file}
            for data in read.values():
                parse_article(data)
        except (OSError, EOFError, tarfile.TarError, zlib.error, XmlError):
            continue
        if not read:
            continue
        whole.append(package)
        for name, data in read.items():
            documents.append(directory / name)
            documents[-1].write_bytes(data)
    return whole, documents
