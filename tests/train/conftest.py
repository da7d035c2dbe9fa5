import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from biomedica.train.config import Config
from biomedica.train.device import Device

NANO = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True)
def _quiet_threads() -> None:
    # Tiny tensors: threads cost more than they give, and the sums must not depend on the machine.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that takes milliseconds, as a JSON file."""
    path = tmp_path_factory.mktemp("models") / "nano.json"
    path.write_text(json.dumps(NANO), "utf-8")
    return str(path)


@pytest.fixture
def config(nano: str, tmp_path: Path) -> Callable[..., Config]:
    """A run of a second on made-up data, with what is named set otherwise."""

    def make(**options: Any) -> Config:
        defaults: dict[str, Any] = {
            "train_data": ("synthetic",), "train_num_samples": 64, "model": nano, "batch_size": 8, "steps": 6,
            "warmup": 2, "lr": 1e-3, "logs": str(tmp_path / "logs"), "name": "run", "log_every": 1,
            "save_every": "never", "device": "cpu", "report_to": "none",
        }  # fmt: skip
        return Config(**defaults | options)

    return make


@pytest.fixture
def cpu() -> Device:
    return Device(torch.device("cpu"), "fp32")


@pytest.fixture
def python() -> list[str]:
    """An interpreter with no more than one thread, so that what it sums does not depend on the machine."""
    return [
        sys.executable,
        "-c",
        "import torch; torch.set_num_threads(1); from biomedica.train import main; raise SystemExit(main())",
    ]
