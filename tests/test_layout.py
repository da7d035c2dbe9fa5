"""Promises about the source tree that a reader relies on."""

import ast
import importlib
import inspect
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import biomedica
from biomedica.cli.parser import VERBS

ROOT = Path(__file__).parents[1]
LONGEST = 500
LONGEST_STUB = 700
"""The stub of an extension is one file: its docstrings are those of the functions that Python hands on unchanged."""
MEDIAN = 200
LOADED_WHERE_USED = (
    "PIL",
    "datasets",
    "duckdb",
    "jinja2",
    "open_clip",
    "pandas",
    "rich",
    "starlette",
    "torch",
    "uvicorn",
    "webdataset",
)
# Each module of the core knows only those on lower steps (ARCHITECTURE.md).
STAIR = (
    {"error", "limits", "random"},
    {"resample", "text_hash"},
    {"store"},
    {"decode", "entrez", "image", "jats", "shard"},
    {"package", "source", "article", "similar"},
    {"tables"},
    {"pipeline"},
    {"dataset"},
    {"stream"},
)


def code(*folders: str) -> list[Path]:
    found = [
        path for folder in folders for suffix in ("rs", "py", "pyi") for path in (ROOT / folder).rglob(f"*.{suffix}")
    ]
    return [path for path in found if "target" not in path.relative_to(ROOT).parts]


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> dict[str, str]:
    return dict(re.findall(r"^([a-z][a-z-]*):(?!=)[^#\n]*(?:## (.+))?$", text("Makefile"), re.MULTILINE))


def test_no_file_is_too_long_for_one_sitting() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in code("rust", "python", "tests", "benches")
    }
    most = {path: LONGEST_STUB if path.suffix == ".pyi" else LONGEST for path in lengths}
    assert {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > most[path]} == {}
    own = [
        length
        for path, length in lengths.items()
        if path.is_relative_to(ROOT / "rust") or path.is_relative_to(ROOT / "python")
    ]
    assert statistics.median(own) < MEDIAN


def test_the_core_has_no_python_in_it() -> None:
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--offline", "-p", "biomedica", "--edges", "normal", "--prefix", "none"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "quick-xml" in tree
    assert not re.search(r"^(pyo3|numpy)", tree, re.MULTILINE)


def test_the_core_lists_its_modules_and_nothing_else() -> None:
    lines = text("rust/biomedica/src/lib.rs").splitlines()
    code_lines = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(("//", "#"))]
    assert [line for line in code_lines if not re.match(r"(pub )?(mod|use) [\w:{}, ]+;$", line)] == []


def test_modules_of_the_core_know_only_lower_steps() -> None:
    step = {module: number for number, modules in enumerate(STAIR) for module in modules}
    declared = set(re.findall(r"^(?:pub )?mod (\w+);", text("rust/biomedica/src/lib.rs"), re.MULTILINE))
    assert declared == set(step)
    upward = []
    for path in code("rust/biomedica/src"):
        parts = path.relative_to(ROOT / "rust/biomedica/src").parts
        module = parts[0].removesuffix(".rs")
        # Tests may look up; documentation may point up.
        if module in step and "tests" not in parts and path.name != "tests.rs":
            body = path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod ")[0]
            body = re.sub(r"//.*", "", body)
            used = set(re.findall(r"\bcrate::(\w+)", body))
            for group in re.findall(r"\bcrate::\{([^;]*)\};", body):
                used |= set(re.findall(r"(?:^|,)\s*(\w+)", re.sub(r"\{[^{}]*\}", "", group)))
            upward += [f"{'/'.join(parts)}: {other}" for other in used & set(step) if step[other] > step[module]]
    assert upward == []


def test_every_make_target_says_what_it_does() -> None:
    silent = {name for name, description in targets().items() if not description and not name.startswith("need-")}
    assert silent == set()
    assert {"help", "demo", "test", "test-long", "bench", "lint", "fmt", "wheel", "fuzz", "clean"} <= set(targets())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_commands_in_documents_exist(document: str) -> None:
    named = set(re.findall(r"^(?:    )?(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)", text(document), re.MULTILINE))
    assert named
    assert {name for pair in named for name in pair if name} <= set(targets())
    verbs = set(re.findall(r"^(?:\$ )?biomedica ([a-z]+)|`biomedica ([a-z]+)", text(document), re.MULTILINE))
    assert {verb for pair in verbs for verb in pair if verb} <= set(VERBS)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in text("README.md")
    assert re.search(r"^make test$", text(".ci/run"), re.MULTILINE)


def test_the_package_is_typed_and_its_extension_has_a_stub() -> None:
    package = Path(biomedica.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "_core.pyi").is_file()


def test_every_public_name_is_documented() -> None:
    plain = (str, int, dict)
    for name in biomedica.__all__:
        value = getattr(biomedica, name)
        assert isinstance(value, plain) or inspect.getdoc(value), name
        if inspect.isclass(value):
            for member, function in inspect.getmembers(value, callable):
                assert member.startswith("_") or inspect.getdoc(function), f"{name}.{member}"


def test_public_names_are_those_of_the_type_checker() -> None:
    tree = ast.parse(text("python/biomedica/__init__.py"))
    declared = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("biomedica")
        for alias in node.names
    }
    assert declared | {"__version__"} == set(biomedica.__all__)
    assert set(biomedica.__all__) <= set(dir(biomedica))


def test_every_word_of_the_tables_is_documented() -> None:
    for words, where in (
        (biomedica.REASONS, biomedica.Dataset.failures),
        (biomedica.STAGES, biomedica.Dataset.failures),
        (biomedica.STATUSES, biomedica.Dataset.figures),
    ):
        assert [word for word in words if f"`{word}`" not in (inspect.getdoc(where) or "")] == []


def test_names_stay_when_their_modules_are_imported_first() -> None:
    program = "import biomedica._extract, biomedica._read, biomedica.dataset; import biomedica as bm;"
    subprocess.run(
        [sys.executable, "-c", program + "assert all(map(callable, (bm.extract, bm.read, bm.open)))"], check=True
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="extrakt"):
        getattr(biomedica, "extrakt")  # noqa: B009 - the type checker knows that it is not there


def test_every_verb_is_a_public_name_and_a_module() -> None:
    for verb in VERBS:
        text = inspect.getdoc(importlib.import_module(f"biomedica.cli.{verb}")) or ""
        assert f"biomedica.{verb}" in text or f".{verb}()" in text, verb


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, biomedica, biomedica.cli.parser; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert set(LOADED_WHERE_USED) & set(loaded) == set()


def test_no_promises_are_left_in_the_code() -> None:
    mark = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", r"unimplemented!", r"\btodo!")))
    assert [
        str(path)
        for path in code("rust", "python", "tests", "benches")
        if path != Path(__file__) and mark.search(path.read_text(encoding="utf-8"))
    ] == []
