"""Train a small CLIP model from nothing on the demo dataset, and judge it on articles that it has not seen.

Every fifth article is held out, whole. Beside the dataset come to lie

    DIR/train_keys.txt, DIR/held_out_keys.txt   samples by article
    DIR/tasks/                                  tasks of evaluation about the held-out ones (`demo/tasks.py`)
    DIR/logs/seed-N/                            the run, with `loss.png`
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.demo.tasks import write_tasks

if TYPE_CHECKING:
    from pathlib import Path

    from biomedica.cli.output import Output

__all__ = ["Learned", "learn", "split"]

HELD_OUT_EVERY = 5


@dataclass(frozen=True)
class Learned:
    """What came of the training."""

    directory: Path
    """Of the run."""
    loss_plot: Path
    metrics: dict[str, float]
    """Recall and zero-shot accuracy on the held-out articles, and chance beside."""
    majority: float
    """Accuracy of always saying the commonest concept."""

    def table(self) -> str:
        """The metrics beside chance, for people."""
        found = self.metrics
        count = found["samples"]
        rows = [
            (f"{way} recall@{k}", found[f"{way.replace(' ', '_')}_recall@{k}"], k / count)
            for way in ("image to text", "text to image")
            for k in (1, 5, 10)
        ]
        chance = found["demo-concepts_accuracy_chance"]
        rows.append(("zero-shot accuracy", found["demo-concepts_accuracy"], chance))
        rows.append(("  (always the commonest concept)", self.majority, chance))
        lines = [f"{count:.0f} pairs of held-out articles               model   chance"]
        return "\n".join(lines + [f"{name:<40} {value:7.1%}  {chance:7.1%}" for name, value, chance in rows])


def learn(directory: Path, *, seed: int = 0, epochs: int = 24, output: Output | None = None) -> Learned:
    """Train on the demo in `directory` and judge the model; about two minutes on two cores.

    Args:
        directory: Where `biomedica demo` has put packages and dataset.
        seed: Of weights, order and crops.
        epochs: Passes over the training articles.
        output: Where progress goes.

    Raises:
        ModuleNotFoundError: torch or open_clip is missing.
    """
    import biomedica
    from biomedica.train import Config
    from biomedica.train.chart import line_chart

    split(directory)
    dataset = str(directory / "dataset")
    run = directory / "logs" / f"seed-{seed}"
    resumed = any(run.glob("checkpoints/step_*/checkpoint.json"))
    config = Config(
        train_data=(dataset,), selection=str(directory / "train_keys.txt"),
        val_data=(dataset,), val_selection=str(directory / "held_out_keys.txt"), val_frequency=0,
        eval_tasks=(str(directory / "tasks" / "concepts.toml"),),
        model="biomedica-tiny", batch_size=64, epochs=epochs, lr=1e-3, warmup=20, wd=0.1, grad_clip_norm=1.0,
        seed=seed, device="cpu", logs=str(directory / "logs"), name=run.name, resume="latest" if resumed else None,
        save_every="30s", keep=1, log_every=10, report_to="none",
    )  # fmt: skip
    result = biomedica.train.train(config, output=output)
    if result.stopped:
        raise KeyboardInterrupt
    rows = [json.loads(line) for line in (result.directory / "metrics.jsonl").read_text("utf-8").splitlines()]
    picture = result.directory / "loss.png"
    losses = [(row["step"], row["loss"]) for row in rows if row["event"] == "step"]
    line_chart({"loss": losses}, "training loss over steps", picture, zero=True)
    concepts = _concepts(directory)
    shown = Counter(concepts[key] for key in (directory / "held_out_keys.txt").read_text("utf-8").split())
    return Learned(result.directory, picture, result.metrics, max(shown.values()) / shown.total())


def split(directory: Path) -> tuple[int, int]:
    """Write the keys of both halves, and the tasks; return how many samples each half has."""
    from biomedica.dataset import open as open_dataset

    concepts = _concepts(directory)
    articles = sorted({key.rpartition("_")[0] for key in concepts})
    held_out = set(articles[::HELD_OUT_EVERY])
    names: dict[str, list[str]] = {"train_keys.txt": [], "held_out_keys.txt": []}
    for key in concepts:
        names["held_out_keys.txt" if key.rpartition("_")[0] in held_out else "train_keys.txt"].append(key)
    for name, keys in names.items():
        (directory / name).write_text("".join(f"{key}\n" for key in keys), "utf-8")
    write_tasks(directory / "tasks", open_dataset(directory / "dataset"), concepts, names["held_out_keys.txt"])
    return len(names["train_keys.txt"]), len(names["held_out_keys.txt"])


def _concepts(directory: Path) -> dict[str, str]:
    """What each pair was drawn to show, by its id."""
    lines = (directory / "truth.jsonl").read_text("utf-8").splitlines()
    return {row["image_id"]: row["concept"] for row in map(json.loads, lines) if row["status"] == "ok"}
