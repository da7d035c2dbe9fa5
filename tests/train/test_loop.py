import dataclasses
import json
import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import biomedica as bm
from biomedica.exceptions import TrainingError
from biomedica.train import checkpoint
from biomedica.train.config import Config
from biomedica.train.gradient import Batch
from biomedica.train.loop import Result
from biomedica.train.synthetic import SyntheticLoader

Make = Callable[..., Config]
TIMES = {"images_per_second", "data_wait_share"}


def rows(directory: Path, event: str = "step") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (directory / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [row for row in found if row["event"] == event]


def curve(directory: Path) -> list[dict[str, Any]]:
    """What must not depend on when the run was stopped."""
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows(directory)]


def weights(result: Result) -> dict[str, torch.Tensor]:
    return load_file(result.checkpoint / "model.safetensors")


def assert_equal(one: Result, other: Result) -> None:
    """To the bit: weights, AdamW, loader, and every logged number."""
    assert one.step == other.step
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    states = [torch.load(r.checkpoint / "optimizer.pt", weights_only=True)["optimizer"]["state"] for r in (one, other)]
    assert states[0].keys() == states[1].keys()
    for number, state in states[0].items():
        assert all(torch.equal(value, states[1][number][name]) for name, value in state.items())
    loaders = [checkpoint.find(str(r.checkpoint), r.directory).manifest["loader"] for r in (one, other)]
    assert loaders[0] == loaders[1]
    assert curve(one.directory) == curve(other.directory)


class Signalling(SyntheticLoader):
    """Sends this process a signal while it hands out a batch."""

    def __init__(self, at: int, number: signal.Signals, samples: int = 64) -> None:
        super().__init__(samples=samples, batch_size=8, image_size=16, context_length=8, vocab_size=64)
        self._at, self._number = at, number

    def __iter__(self) -> Iterator[Batch]:
        for batch in super().__iter__():
            self._at -= 1
            if self._at == 0:
                os.kill(os.getpid(), self._number)
            yield batch


def test_a_run_learns_and_tells(config: Make) -> None:
    result = bm.train.train(config(steps=40, lr=3e-3, warmup=5, train_num_samples=8, grad_clip_norm=1.0))
    told = rows(result.directory)
    assert [row["step"] for row in told] == list(range(1, 41))
    assert told[-1]["loss"] < 0.5 < math.log(8) * 0.9 < told[0]["loss"]
    wanted = {"event", "step", "epoch", "loss", "grad_norm", "logit_scale", "lr", "images_per_second"}
    assert set(told[0]) == wanted | {"data_wait_share", "truncated_share", "bad_samples"}
    assert all(row["images_per_second"] > 0 and 0 <= row["data_wait_share"] < 1 for row in told)
    assert (result.step, result.total, result.stopped) == (40, 40, None)


@pytest.mark.parametrize(
    "options",
    [{}, {"accum_freq": 3}, {"grad_cache": 3}, {"siglip": True}, {"grad_checkpointing": True}, {"lock_image": True},
     {"lock_text": True}, {"precision": "bf16"}, {"lr_scheduler": "const"}],
    ids=str,
)  # fmt: skip
def test_resumed_is_uninterrupted_to_the_bit(config: Make, options: dict[str, Any]) -> None:
    straight = bm.train.train(config(name="straight", **options))
    first = bm.train.train(config(save_every="2", keep=9, **options))
    for one in checkpoint.whole(first.directory / "checkpoints")[1:]:
        assert one.step in {4, 6}
        for file in one.path.iterdir():
            file.unlink()
        one.path.rmdir()
    resumed = bm.train.train(config(resume="latest", **options))
    assert_equal(resumed, straight)


def test_resume_crosses_the_end_of_an_epoch(config: Make) -> None:
    # 5 batches an epoch in steps of 2: steps take batches of two epochs, and the cut lies within the second.
    options: dict[str, Any] = {"train_num_samples": 44, "accum_freq": 2, "steps": 7}
    straight = bm.train.train(config(name="straight", **options))
    stopped = bm.train.train(config(**options), loader=Signalling(7, signal.SIGTERM, samples=44))
    state = checkpoint.find("latest", stopped.directory / "checkpoints").manifest["loader"]
    assert (stopped.step, state["epoch"], state["position"]) == (4, 1, 24)
    assert_equal(bm.train.train(config(resume="latest", **options)), straight)


def test_two_trainings_do_not_share_a_directory(config: Make) -> None:
    held = checkpoint.lock(Path(config().logs) / "run")
    assert held is not None
    with pytest.raises(TrainingError, match="another training writes there"):
        bm.train.train(config())
    held.close()
    result = bm.train.train(config())
    free = checkpoint.lock(result.directory)
    assert free is not None, "the end of a run lets go of its directory"
    free.close()


def test_a_wrong_name_to_resume_leaves_no_directory(config: Make) -> None:
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        bm.train.train(config(name="typo", resume="latest"))
    assert not (Path(config().logs) / "typo").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_run_goes_on_from_there(config: Make, number: signal.Signals) -> None:
    straight = bm.train.train(config(name="straight"))
    before = signal.getsignal(number)
    stopped = bm.train.train(config(), loader=Signalling(3, number))
    assert signal.getsignal(number) is before
    assert (stopped.step, stopped.stopped) == (3, number.name)
    assert_equal(bm.train.train(config(resume="latest")), straight)


def test_the_command_ends_with_143_after_sigterm_and_resumes(config: Make, python: list[str]) -> None:
    options = config(steps=2000, save_every="never", log_every=1)
    given = [
        "--train-data",
        "synthetic",
        "--model",
        options.model,
        "--batch-size",
        "8",
        "--warmup",
        "2",
        "--lr",
        "1e-3",
    ]
    given += [
        "--train-num-samples",
        "64",
        "--logs",
        options.logs,
        "--name",
        "run",
        "--device",
        "cpu",
        "--log-every",
        "1",
    ]
    given += ["--report-to", "none", "--save-every", "never"]
    process = subprocess.Popen(
        [*python, *given, "--steps", "2000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 5 "):
            process.send_signal(signal.SIGTERM)
            break
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by SIGTERM" in stdout
    step = checkpoint.find("latest", Path(options.logs, "run", "checkpoints")).step
    assert 5 <= step < 2000
    # The schedule is that of all steps, so the straight run is cut where the other ended.
    straight = bm.train.train(
        dataclasses.replace(options, name="straight"), loader=Signalling(step + 2, signal.SIGTERM)
    )
    resumed = bm.train.train(dataclasses.replace(options, resume="latest"), loader=Signalling(2, signal.SIGTERM))
    assert_equal(resumed, straight)


def test_what_was_logged_after_the_checkpoint_is_forgotten(config: Make) -> None:
    result = bm.train.train(config(save_every="4", steps=6))
    (result.checkpoint / "rng.pt").unlink()
    with (result.directory / "metrics.jsonl").open("a") as file:
        file.write('{"event": "step", "step": 7, "lo')
    again = bm.train.train(config(steps=6, resume="latest"))
    assert [row["step"] for row in rows(again.directory)] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_is_finished_stays_so(config: Make) -> None:
    first = bm.train.train(config(steps=2))
    again = bm.train.train(config(steps=2, resume="latest"))
    assert (again.step, again.checkpoint) == (2, first.checkpoint)
    assert len(rows(first.directory)) == 2


def test_an_existing_run_is_not_overwritten(config: Make) -> None:
    bm.train.train(config(steps=1))
    with pytest.raises(TrainingError, match="--resume latest"):
        bm.train.train(config(steps=1))


def test_resume_with_another_total_batch_is_refused(config: Make) -> None:
    bm.train.train(config(steps=1))
    with pytest.raises(TrainingError, match="took 8 pairs and would now take 4"):
        bm.train.train(config(steps=2, batch_size=4, resume="latest"))
    bm.train.train(config(steps=2, batch_size=4, accum_freq=2, resume="latest"))


def test_checkpoints_come_by_steps_and_are_pruned(config: Make) -> None:
    result = bm.train.train(config(steps=7, save_every="2", keep=2))
    assert [one.step for one in checkpoint.whole(result.directory / "checkpoints")] == [6, 7]


def test_checkpoints_come_by_time(config: Make) -> None:
    result = bm.train.train(config(steps=3, save_every="0.0001s", keep=9))
    assert [one.step for one in checkpoint.whole(result.directory / "checkpoints")] == [1, 2, 3]


def test_epochs_are_steps(config: Make) -> None:
    result = bm.train.train(config(steps=None, epochs=2, accum_freq=3, train_num_samples=88))
    assert result.total == 2 * 11 // 3
    assert rows(result.directory)[-1]["epoch"] == pytest.approx(21 / 11)


def test_the_total_batch_is_said(config: Make, capsys: pytest.CaptureFixture[str]) -> None:
    bm.train.train(config(steps=1, accum_freq=3))
    assert "batch 8 x 1 processes x 3 = 24" in capsys.readouterr().err


def test_a_loss_that_is_no_number_ends_the_run(config: Make) -> None:
    loader = SyntheticLoader(samples=64, batch_size=8, image_size=16, context_length=8, vocab_size=64)
    loader._images[:] = math.nan
    with pytest.raises(TrainingError, match="step 1: the loss is nan"):
        bm.train.train(config(), loader=loader)


def test_made_up_data_goes_on_with_the_next_epoch_as_shards_do() -> None:
    def loader() -> SyntheticLoader:
        return SyntheticLoader(samples=16, batch_size=8, image_size=16, context_length=8, vocab_size=64)

    made = loader()
    first, second = list(made), list(made)
    assert len(first) == len(second) == len(made)
    assert made.state_dict()["epoch"] == 1
    again = loader()
    again.set_epoch(1)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(second, again, strict=True))


def test_data_that_fills_no_batch_is_said(config: Make) -> None:
    with pytest.raises(TrainingError, match="does not fill one batch of 8"):
        bm.train.train(config(train_num_samples=7))


def test_no_data_is_said(config: Make) -> None:
    with pytest.raises(TrainingError, match="--train-data"):
        bm.train.train(config(train_data=()))


def test_bad_samples_and_truncated_captions_are_told(config: Make) -> None:
    class Counting(SyntheticLoader):
        @property
        def stats(self) -> dict[str, float]:
            return {"bad_samples": 3, "truncated_captions": 10, "captions": 40}

    loader = Counting(samples=64, batch_size=8, image_size=16, context_length=8, vocab_size=64)
    row = rows(bm.train.train(config(steps=1), loader=loader).directory)[0]
    assert (row["bad_samples"], row["truncated_share"]) == (3, 0.25)


def test_machines_get_json(config: Make, capsys: pytest.CaptureFixture[str]) -> None:
    options = config()
    given = ["--train-data", "synthetic", "--model", options.model, "--batch-size", "8", "--logs", options.logs]
    given += ["--name", "run", "--steps", "2", "--log-every", "1", "--device", "cpu", "--log-format", "json"]
    assert bm.train.main(given) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["event"] == "trained"
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["begin", "step", "step", "checkpoint"]


def test_the_model_is_compiled_when_asked(config: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []

    def compile_nothing(model: torch.nn.Module) -> torch.nn.Module:
        compiled.append(model)
        return model

    # The compiler itself takes a minute on a CPU; that the loop goes through what it returns is what is tested.
    monkeypatch.setattr(torch, "compile", compile_nothing)
    bm.train.train(config(torchcompile=True, steps=1))
    assert len(compiled) == 1
