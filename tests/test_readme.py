"""Python examples of README and of the guide run as they stand; their commands are ones that the command knows."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import biomedica
from biomedica.cli.parser import parse
from entrez_server import EntrezServer

ROOT = Path(__file__).parents[1]
GUIDE = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def run(path: Path) -> None:
    """Run a page's examples one after the other."""
    names: dict[str, object] = {}
    for number, example in enumerate(blocks(path, "python")):
        exec(compile(example, f"{path.name} example {number}", "exec"), names)  # noqa: S102 - our own examples


@pytest.fixture
def pubmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntrezServer]:
    """What the examples ask in place of NCBI's own server."""
    server = EntrezServer()
    monkeypatch.setenv("NCBI_EUTILS_URL", server.url)
    yield server
    server.close()


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    biomedica.demo.make(tmp_path / "demo", articles=12)
    (tmp_path / "article.nxml").write_text("<article><front/></article>")
    monkeypatch.chdir(tmp_path)
    assert blocks(ROOT / "README.md", "python")
    run(ROOT / "README.md")


@pytest.mark.parametrize("page", GUIDE)
@pytest.mark.usefixtures("pubmed")
def test_examples_of_the_guide_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(ROOT / "docs" / page)


@pytest.mark.parametrize("page", GUIDE)
def test_commands_of_the_guide_are_understood(page: str) -> None:
    lines = [line for block in blocks(ROOT / "docs" / page, "sh") for line in block.splitlines()]
    for line in lines:
        if line.startswith("biomedica "):
            parse(shlex.split(line)[1:])
        else:
            assert line.startswith(("pip install ", "torchrun ")), line


def test_every_page_of_the_guide_is_in_its_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r": ([\w-]+\.md)$", contents, re.MULTILINE)) == GUIDE
