"""Where a run tells how it goes: terminal, a JSONL file, and TensorBoard and W&B where they are wanted.

`metrics.jsonl` has a line for each logged step and each validation. A resumed run removes the lines that come after its
checkpoint, so that the file reads as if the run had never stopped.
"""

import importlib.util
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biomedica.cli.output import Output

__all__ = ["Log", "reporters"]

INSTALL = {"tensorboard": "pip install tensorboard", "wandb": "pip install wandb"}


def reporters(wanted: str | None) -> list[str]:
    """Names out of `--report-to`; TensorBoard alone, where it is installed, when nothing is said.

    Raises:
        ValueError: A name is not known.
        ModuleNotFoundError: One that is asked for is not installed.
    """
    if wanted is None:
        return ["tensorboard"] if importlib.util.find_spec("tensorboard") else []
    names = [name for name in wanted.replace(" ", "").split(",") if name and name != "none"]
    for name in names:
        if name not in INSTALL:
            raise ValueError(f"report_to {name!r} is none of {', '.join(INSTALL)}, none")
        if not importlib.util.find_spec(name):
            raise ModuleNotFoundError(f"--report-to {name} needs it installed: {INSTALL[name]}", name=name)
    return names


class Log:
    """Of the main process. Those of other processes are made with `directory=None` and say nothing.

    Args:
        directory: Of the run.
        output: For people and machines that watch; a bar is added on a terminal.
        report_to: See `reporters`.
        config: Of the run, for W&B.
        project: Of W&B.
        step: Steps that are done already; lines after it are removed from the file.
        total: Steps in all.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        output: Output | None = None,
        report_to: str | None = None,
        config: Mapping[str, Any] | None = None,
        project: str = "biomedica",
        step: int = 0,
        total: int = 0,
    ) -> None:
        self._on = directory is not None
        self._output = output or Output()
        self._total = total
        self._board: Any = None
        self._wandb: Any = None
        self._bar: Any = None
        if directory is None:
            return
        names = reporters(report_to)
        self._file = directory / "metrics.jsonl"
        _forget_after(self._file, step)
        self._lines = self._file.open("a", encoding="utf-8")
        if "tensorboard" in names:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)
        if "wandb" in names:
            import wandb

            self._wandb = wandb.init(
                project=project, name=directory.name, id=directory.name, resume="allow", config=dict(config or {})
            )
        if sys.stderr.isatty() and not self._output.json:
            self._bar = _bar(step, total)

    def step(self, values: Mapping[str, float | int]) -> None:
        """A logged step."""
        self._row("step", values, _step_line(values, self._total))
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=values["step"])

    def validation(self, values: Mapping[str, float | int]) -> None:
        """What a validation found."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name not in {"step", "epoch"})
        self._row("validation", values, f"validation after step {values['step']:,}: {shown}")

    def note(self, event: str, text: str, **values: object) -> None:
        """Something that happened; not kept."""
        if self._on:
            self._say(event, values, text)

    def close(self) -> None:
        """Have all of it on disk."""
        if not self._on:
            return
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._lines.close()
        for end in (
            self._board and self._board.close,
            self._wandb and self._wandb.finish,
            self._bar and self._bar.stop,
        ):
            if end:
                end()

    def _row(self, event: str, values: Mapping[str, float | int], text: str) -> None:
        if not self._on:
            return
        plain = {name: _finite(value) for name, value in values.items()}
        self._lines.write(json.dumps({"event": event, **plain}) + "\n")
        self._lines.flush()
        prefix = "train" if event == "step" else "val"
        tagged = {f"{prefix}/{name}": value for name, value in values.items() if name != "step"}
        if self._board is not None:
            for name, value in tagged.items():
                self._board.add_scalar(name, value, values["step"])
        if self._wandb is not None:
            self._wandb.log(tagged, step=int(values["step"]))
        self._say(event, plain, text)

    def _say(self, event: str, values: Mapping[str, object], text: str) -> None:
        if self._bar is None:
            self._output.note(event, values, text)
        else:
            self._bar.console.print(text, highlight=True, soft_wrap=True)


def _bar(step: int, total: int) -> Any:
    """A line on the terminal with the steps done and the time left; what is logged goes by above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("steps", total=total, completed=step)
    bar.start()
    return bar


def _step_line(values: Mapping[str, float | int], total: int) -> str:
    line = (
        f"step {values['step']:,} of {total:,}, epoch {values['epoch']:.2f}: loss {values['loss']:.4f},"
        f" gradient {values['grad_norm']:.3g}, logit scale {values['logit_scale']:.2f}, lr {values['lr']:.3g},"
        f" {values['images_per_second']:,.0f} images/s, {values['data_wait_share']:.1%} waiting for data"
    )
    if values["truncated_share"]:
        line += f", {values['truncated_share']:.1%} of captions cut"
    if values["bad_samples"]:
        line += f", {values['bad_samples']:,.0f} bad samples"
    return line


def _finite(value: float) -> float | str:
    """JSON has no word for what is no number."""
    return value if math.isfinite(value) else str(value)


def _forget_after(file: Path, step: int) -> None:
    """Remove lines of later steps, and one that was cut."""
    if not file.exists():
        return
    kept = []
    for line in file.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("step", 0) <= step:
            kept.append(line + "\n")
    draft = file.with_suffix(".part")
    draft.write_text("".join(kept), "utf-8")
    draft.replace(file)
