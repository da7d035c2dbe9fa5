"""`push`: a folder arrives at a stand-in of the hub as it is, once, and what is refused is told."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

import biomedica as bm
from biomedica.cli import main
from hub_server import COMMIT, Hub

# The client's own way of sending objects.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    # The hub's own store of chunks has a protocol of its own, which is not stood in for; LFS is.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    disable_progress_bars()
    yield server
    enable_progress_bars()
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"README.md": b"# Figures", "commercial/train-00000-of-00001.parquet": os.urandom(5000), ".lock": b""}
    for name, data in files.items():
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "hub"


def visible(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_arrives_as_it_is_without_hidden_files(hub: Hub, folder: Path) -> None:
    pushed = bm.push(folder, "lab/figures", private=True)
    assert hub.committed == visible(folder)
    assert (pushed.url, pushed.commit) == (f"{hub.url}/datasets/lab/figures", COMMIT)
    assert (pushed.files, pushed.num_bytes) == (2, 5009)
    assert [(made["name"], made["organization"], made["type"]) for made in hub.created] == [
        ("figures", "lab", "dataset")
    ]
    assert {authorization for path, authorization in hub.asked if path.startswith("/api/")} == {"Bearer hf_secret"}


def test_what_the_hub_has_is_not_sent_again(hub: Hub, folder: Path) -> None:
    (folder / "commercial" / "second.parquet").write_bytes(os.urandom(300))
    hub.broken = 1
    with pytest.raises(bm.DatasetError, match=r"not uploaded, the same call goes on: .*403"):
        bm.push(folder, "lab/figures")
    assert not hub.committed
    bm.push(folder, "lab/figures")
    bm.push(folder, "lab/figures")
    assert sorted(hub.uploads) == [300, 5000]
    assert hub.committed == visible(folder)


def test_what_the_hub_refuses_is_told_in_one_line(hub: Hub, folder: Path) -> None:
    hub.status = 401
    with pytest.raises(bm.DatasetError, match="access denied; set HF_TOKEN"):
        bm.push(folder, "lab/figures")
    hub.status = 200
    with pytest.raises(bm.DatasetError, match="no such dataset or revision"):
        bm.push(folder, "lab/figures", revision="draft")
    hub.status = 400
    with pytest.raises(bm.DatasetError, match="the hub answered 400"):
        bm.push(folder, "lab/figures")


def test_a_hub_that_is_gone_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(bm.DatasetError, match=r"127\.0\.0\.1:9/datasets/lab/figures: not uploaded"):
        bm.push(folder, "lab/figures")


def test_folders_and_names_that_make_no_sense_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(bm.SourceNotFoundError, match="no such folder"):
        bm.push(tmp_path / "none", "lab/figures")
    (tmp_path / "empty").mkdir()
    with pytest.raises(bm.DatasetError, match="no file to upload"):
        bm.push(tmp_path / "empty", "lab/figures")
    for name in ("figures", "lab/", "a/b/c"):
        with pytest.raises(ValueError, match="NAME/DATASET"):
            bm.push(folder, name)
    with pytest.raises(ValueError, match="no name of a dataset"):
        bm.push(folder, "lab/fig ures")


def test_the_command_takes_its_token_from_the_environment(hub: Hub, folder: Path) -> None:
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "biomedica", "push", folder, "lab/figures"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"2 files, 0.0 MB: {hub.url}/datasets/lab/figures\n"
    assert hub.committed == visible(folder)


def test_a_folder_that_is_missing_ends_the_command_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", str(tmp_path / "none"), "lab/figures"]) == 1
    assert "there is no such folder" in capsys.readouterr().err
