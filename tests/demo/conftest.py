"""One small corpus for all tests of the demo."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from biomedica import demo

if TYPE_CHECKING:
    from pathlib import Path

ARTICLES = 72
"""Enough for every publisher, packaging, licence, fault and rare image form to come."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as written, with its truth."""

    directory: Path
    packages: Path
    figures: list[dict[str, Any]]
    articles: list[dict[str, Any]]
    failures: list[dict[str, Any]]

    def files_of(self, package: str) -> dict[str, bytes]:
        """Every file of a package by its last name; what lies before a cut is kept."""
        path = self.packages / package
        if path.is_dir():
            return {file.name: file.read_bytes() for file in sorted(path.iterdir())}
        if not path.name.endswith(".tar.gz"):
            return {path.name: path.read_bytes()}
        files: dict[str, bytes] = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    stream = archive.extractfile(member)
                    if stream:
                        files[member.name.rpartition("/")[2]] = stream.read()
        except (EOFError, tarfile.ReadError):
            pass
        return files


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    directory = tmp_path_factory.mktemp("demo")
    packages = demo.make(directory, articles=ARTICLES, seed=0)
    truths = (read_lines(directory / name) for name in ("truth.jsonl", "truth_articles.jsonl", "truth_failures.jsonl"))
    return Corpus(directory, packages, *truths)
