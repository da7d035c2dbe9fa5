import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biomedica.exceptions import TrainingError
from biomedica.train import checkpoint
from biomedica.train.device import Device


class Parts:
    """Something small to save."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Linear(3, 2)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cpu", enabled=False)

    def work(self) -> None:
        self.model(torch.ones(1, 3)).sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def save(self, directory: Path, step: int, **options: Any) -> checkpoint.Checkpoint:
        options = {"rng": [], "state": {"loader": {"position": step}}, "keep": 3, **options}
        return checkpoint.save(
            directory, step=step, model=self.model, optimizer=self.optimizer, scaler=self.scaler, **options
        )


def test_what_is_saved_comes_back(tmp_path: Path, cpu: Device) -> None:
    parts = Parts()
    parts.work()
    rng = checkpoint.rng_state(cpu)
    one = parts.save(tmp_path, 7, rng=[rng])
    drawn = random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002
    parts.work()
    after = [p.detach().clone() for p in parts.model.parameters()]

    other = Parts()
    states = checkpoint.load(checkpoint.find("latest", tmp_path), other.model, other.optimizer, other.scaler, cpu)
    checkpoint.restore_rng(states[0], cpu)
    assert (random.random(), np.random.random(), torch.rand(1).item()) == drawn  # noqa: NPY002
    other.work()
    assert all(torch.equal(a, b) for a, b in zip(after, other.model.parameters(), strict=True))
    assert one.step == 7
    assert json.loads((one.path / "checkpoint.json").read_text("utf-8"))["loader"] == {"position": 7}


def test_only_the_newest_stay(tmp_path: Path) -> None:
    parts = Parts()
    for step in (5, 40, 300, 2000):
        parts.save(tmp_path, step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000300", "step_00002000"]


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt", "rng.pt", "checkpoint.json"])
@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_torn_checkpoint_is_ignored(tmp_path: Path, file: str, harm: str) -> None:
    parts = Parts()
    parts.save(tmp_path, 1)
    torn = parts.save(tmp_path, 2).path / file
    if harm == "missing":
        torn.unlink()
    else:
        torn.write_bytes(torn.read_bytes()[:-9])
    found = checkpoint.latest(tmp_path)
    assert found is not None
    assert found.step == 1
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        checkpoint.find(str(torn.parent), tmp_path)


def test_what_a_killed_save_left_is_no_checkpoint_and_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts()
    parts.save(tmp_path, 1)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", die)
        with pytest.raises(KeyboardInterrupt):
            parts.save(tmp_path, 2)
    found = checkpoint.latest(tmp_path)
    assert found is not None
    assert found.step == 1
    parts.save(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000001", "step_00000003"]


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    parts = Parts()
    parts.save(tmp_path, 4, state={"loader": 1})
    parts.save(tmp_path, 4, state={"loader": 2})
    assert checkpoint.find("latest", tmp_path).manifest["loader"] == 2


def test_another_models_checkpoint_is_refused(tmp_path: Path, cpu: Device) -> None:
    parts = Parts()
    parts.save(tmp_path, 1)
    parts.model = torch.nn.Linear(4, 4)
    with pytest.raises(TrainingError, match="does not fit this run"):
        checkpoint.load(checkpoint.find("latest", tmp_path), parts.model, parts.optimizer, parts.scaler, cpu)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        checkpoint.find("latest", tmp_path / "nowhere")
    assert checkpoint.latest(tmp_path) is None


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    one = Parts().save(tmp_path, 1)
    manifest = json.loads((one.path / "checkpoint.json").read_text("utf-8"))
    (one.path / "checkpoint.json").write_text(json.dumps(manifest | {"version": 99}), "utf-8")
    with pytest.raises(TrainingError, match="version 99"):
        checkpoint.find("latest", tmp_path)


def test_a_checkpoint_can_be_moved(tmp_path: Path) -> None:
    one = Parts().save(tmp_path / "a", 3)
    shutil.move(one.path, tmp_path / "elsewhere")
    assert checkpoint.find(str(tmp_path / "elsewhere"), tmp_path).step == 3
