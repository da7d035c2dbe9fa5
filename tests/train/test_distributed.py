import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found(nano: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes on the CPU found, over gloo."""
    directory = tmp_path_factory.mktemp("two")
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "0",
        "--standalone",
    ]
    done = subprocess.run(
        [*launch, HERE / "two.py", nano, directory], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    values: dict[str, Any] = json.loads((directory / "found.json").read_text("utf-8"))
    return values


@pytest.mark.parametrize("size", [None, 3, 4])
@pytest.mark.parametrize("case", ["clip", "clip, all rows", "siglip"])
def test_two_processes_have_the_gradient_of_the_whole_batch(found: dict[str, Any], case: str, size: int | None) -> None:
    values = found["gradients"][f"{case}, {size}"]
    assert values["far"] < 1e-9
    assert values["least"] == pytest.approx(1, rel=1e-9)
    assert values["most"] == pytest.approx(1, rel=1e-9)
    assert values["logit_scale"] == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("size", [None, 3, 4])
def test_gathering_without_gradient_halves_that_of_the_towers(found: dict[str, Any], size: int | None) -> None:
    """Why `gather_with_grad` is on: without it the gradient's length depends on the number of processes."""
    values = found["gradients"][f"clip, gather without gradient, {size}"]
    assert values["far"] < 1e-9
    assert [values["least"], values["most"]] == pytest.approx([0.5, 0.5], rel=1e-9)
    assert values["logit_scale"] == pytest.approx(1, rel=1e-9)


def test_a_signal_to_one_process_stops_both(found: dict[str, Any]) -> None:
    assert found["stopped"] == [3, "SIGTERM"]


def test_two_processes_resume_to_the_bit(found: dict[str, Any]) -> None:
    straight, resumed = Path(found["straight"]), Path(found["resumed"])
    ours, theirs = load_file(resumed / "model.safetensors"), load_file(straight / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    logs = []
    for path in (resumed, straight):
        lines = [json.loads(line) for line in (path.parents[1] / "metrics.jsonl").read_text("utf-8").splitlines()]
        logs.append([(row["step"], row["loss"], row["grad_norm"], row["logit_scale"]) for row in lines])
    assert logs[0] == logs[1]
    assert len(logs[0]) == 6
    manifests = [json.loads((path / "checkpoint.json").read_text("utf-8")) for path in (resumed, straight)]
    assert manifests[0]["loader"] == manifests[1]["loader"]
    assert len(torch.load(resumed / "rng.pt", weights_only=True)) == 2
