"""What a run needs to go on as if it had never stopped: written atomically, found by looking for whole ones, pruned.

    checkpoints/step_00001234/model.safetensors   weights under open_clip's names: `--pretrained` and open_clip load it
                              optimizer.pt        state of AdamW and of the loss scaler
                              rng.pt              random generators of each process: Python, numpy, torch, CUDA
                              checkpoint.json     step, loader's state, config, and the size of each file

A checkpoint is written to a hidden directory, synced, and renamed. One that lacks a file, or whose file has another size,
is no checkpoint.
"""

import fcntl
import json
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model

from biomedica._storage import sync
from biomedica.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biomedica.train.device import Device

__all__ = ["VERSION", "Checkpoint", "find", "latest", "load", "lock", "restore_rng", "rng_state", "save"]

VERSION = 1
MANIFEST = "checkpoint.json"
PREFIX = "step_"


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    path: Path
    manifest: "Mapping[str, Any]"

    @property
    def step(self) -> int:
        """Optimizer steps that were done."""
        return int(self.manifest["step"])

    @property
    def model(self) -> Path:
        """The file of weights."""
        return self.path / "model.safetensors"


def lock(directory: Path) -> IO[bytes] | None:
    """The run's directory, made when it is not there, as this process's own until what is returned is closed.

    None when another process has it. A process that ends in any way lets go of it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / ".lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def save(
    directory: Path,
    *,
    step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    rng: "list[dict[str, Any]]",
    state: "Mapping[str, Any]",
    keep: int,
) -> Checkpoint:
    """Write a checkpoint of `step` below `directory` and remove all but the newest `keep`."""
    path = directory / f"{PREFIX}{step:08}"
    draft = directory / f".{path.name}.{os.getpid()}.part"
    for old in directory.glob(f".{PREFIX}*.part"):
        shutil.rmtree(old, ignore_errors=True)
    draft.mkdir(parents=True)
    save_model(model, str(draft / "model.safetensors"), metadata={"format": "pt"})
    torch.save({"optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}, draft / "optimizer.pt")
    torch.save(rng, draft / "rng.pt")
    files = {file.name: file.stat().st_size for file in sorted(draft.iterdir())}
    manifest = {"version": VERSION, "step": step, **state, "files": files}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    for file in draft.iterdir():
        sync(file)
    sync(draft)
    if path.exists():  # of this very step, from before a resume
        shutil.rmtree(path)
    draft.rename(path)
    sync(directory)
    for old_one in whole(directory)[:-keep]:
        shutil.rmtree(old_one.path, ignore_errors=True)
    return Checkpoint(path, manifest)


def whole(directory: Path) -> list[Checkpoint]:
    """Every whole checkpoint below `directory`, oldest first."""
    found = [_read(path) for path in directory.glob(f"{PREFIX}*")]
    return sorted((one for one in found if one), key=lambda one: one.step)


def latest(directory: Path) -> Checkpoint | None:
    """The newest whole checkpoint below `directory`."""
    return next(reversed(whole(directory)), None)


def find(resume: str, directory: Path) -> Checkpoint:
    """The checkpoint that `--resume` names: `latest` below `directory`, or the path of one.

    Raises:
        TrainingError: There is none, or it is not whole.
    """
    one = latest(directory) if resume == "latest" else _read(Path(resume))
    if one is None:
        place = directory if resume == "latest" else resume
        raise TrainingError(f"{place}: no whole checkpoint to resume from")
    if one.manifest["version"] != VERSION:
        raise TrainingError(f"{one.path}: checkpoint of version {one.manifest['version']}, this is {VERSION}")
    return one


def load(
    checkpoint: Checkpoint,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: "Device",
) -> "list[dict[str, Any]]":
    """Put weights and optimizer back; return the random states of the processes.

    Raises:
        TrainingError: They are of another model.
    """
    try:
        load_model(model, str(checkpoint.model), device=str(device.torch_device))
        states = torch.load(checkpoint.path / "optimizer.pt", map_location=device.torch_device, weights_only=True)
        optimizer.load_state_dict(states["optimizer"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(f"{checkpoint.path}: does not fit this run: {str(error).splitlines()[0]}") from error
    if states["scaler"]:
        scaler.load_state_dict(states["scaler"])
    rng: list[dict[str, Any]] = torch.load(checkpoint.path / "rng.pt", map_location="cpu", weights_only=True)
    return rng


def rng_state(device: "Device") -> dict[str, Any]:
    """Every random generator of this process, in types that load without running code."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global generator is what must be kept
    return {
        "python": random.getstate(),
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "torch": device.rng(),
    }


def restore_rng(state: "Mapping[str, Any]", device: "Device") -> None:
    """Go back to what `rng_state` gave."""
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above
    device.set_rng(state["torch"])


def _read(path: Path) -> Checkpoint | None:
    """The checkpoint at `path` when it is whole."""
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        sizes = {name: (path / name).stat().st_size for name in manifest["files"]}
        fits = sizes == manifest["files"] and {"model.safetensors", "optimizer.pt", "rng.pt"} <= sizes.keys()
        return Checkpoint(path, manifest) if fits and isinstance(manifest["step"], int) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
