"""Sources to locations: braces, globs, and the hub behind a server that speaks its two endpoints."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from biomedica._locations import Locations, expand, headers_by_prefix
from biomedica.exceptions import SourceError, SourceNotFoundError
from hub_server import COMMIT, Hub

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield server
    server.close()


def urls(hub: Hub, *names: str) -> list[str]:
    return [f"{hub.endpoint}/datasets/lab/figures/resolve/{COMMIT}/{name}" for name in names]


def test_braces_expand_in_order_nested_and_padded() -> None:
    assert expand("https://host/{a,b{1..2}}-{08..10}.tar").locations == [
        f"https://host/{word}-{number}.tar" for word in ("a", "b1", "b2") for number in ("08", "09", "10")
    ]


def test_brace_lists_are_bounded() -> None:
    with pytest.raises(ValueError, match="1,000,000"):
        expand("{0..9999}{0..9999}")


def test_globs_are_sorted_and_may_not_be_empty(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar"):
        (tmp_path / name).touch()
    assert expand(tmp_path / "*.tar").locations == [str(tmp_path / "a.tar"), str(tmp_path / "b.tar")]
    with pytest.raises(SourceNotFoundError, match="no file matches"):
        expand(str(tmp_path / "*.zip"))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/train/*.tar", ["train/000.tar", "train/001.tar"]),
        ("/train/{000..001}.tar", ["train/000.tar", "train/001.tar"]),
        ("/**/000.tar", ["train/000.tar", "validation/000.tar"]),
        ("", ["train/000.tar", "train/001.tar", "train/deep/002.tar", "validation/000.tar"]),
    ],
)
def test_the_hub_is_asked_once_and_pins_the_commit(hub: Hub, path: str, names: list[str]) -> None:
    assert expand([f"hf://datasets/lab/figures@v2{path}", "hf://datasets/lab/figures@v2/README.md"]).locations == [
        *urls(hub, *names),
        *urls(hub, "README.md"),
    ]
    assert len([path for path, _ in hub.asked if path.startswith("/api/datasets/")]) <= 2


def test_the_token_goes_to_the_hub_alone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert expand("hf://datasets/lab/figures/train/000.tar").headers == {}
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = expand(["hf://datasets/lab/figures/train/000.tar", "https://elsewhere.org/a.tar"])
    assert found.headers == {"Authorization": "Bearer hf_secret"}
    assert found.headers_for == hub.endpoint + "/"
    assert hub.asked[-1][1] == "Bearer hf_secret"
    assert headers_by_prefix([found, Locations(["a"])], {"X-Key": "1"}) == [
        (hub.endpoint + "/", "Authorization", "Bearer hf_secret"),
        ("", "X-Key", "1"),
    ]


def test_a_busy_hub_is_asked_again(hub: Hub) -> None:
    hub.busy = 1
    assert expand("hf://datasets/lab/figures/train/000.tar").locations == urls(hub, "train/000.tar")


def test_what_the_hub_does_not_have_is_not_found(hub: Hub) -> None:
    with pytest.raises(SourceNotFoundError, match="no such dataset"):
        expand("hf://datasets/lab/nothing/a.tar")
    with pytest.raises(SourceNotFoundError, match="no file matches"):
        expand("hf://datasets/lab/figures/*.zip")
    with pytest.raises(ValueError, match="write hf://datasets"):
        expand("hf://lab/figures")
    hub.status = 403
    with pytest.raises(SourceError, match="HF_TOKEN"):
        expand("hf://datasets/lab/figures/train/000.tar")


def in_a_process(program: str, **environment: str) -> str:
    run = [sys.executable, "-c", program]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import os; os.environ['HF_HUB_OFFLINE'] = '1'", "switched off by HF_HUB_OFFLINE"),
        ("import sys; sys.modules['huggingface_hub'] = None", "pip install 'biomedica[hub]'"),
        ("import os; os.environ['HF_ENDPOINT'] = 'http://127.0.0.1:9'", "the hub cannot be reached"),
    ],
)
def test_without_hub_or_package_one_line_says_so(program: str, expected: str) -> None:
    call = (
        "\nfrom biomedica._locations import expand\n"
        "try:\n    expand('hf://datasets/lab/figures/*.tar')\n"
        "except Exception as error:\n    print(error)\n"
    )
    output = in_a_process(program + call, PYTHONPATH=":".join(sys.path))
    assert expected in output
    assert output.count("\n") == 1
