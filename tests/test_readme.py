"""README's Python examples run as they stand, one after the other, beside a small demo corpus."""

import re
from pathlib import Path

import pytest

import biomedica

README = Path(__file__).parents[1] / "README.md"


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    biomedica.demo.make(tmp_path / "demo", articles=12)
    (tmp_path / "article.nxml").write_text("<article><front/></article>")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    names: dict[str, object] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"README example {number}", "exec"), names)  # noqa: S102 - our own examples
