"""Train a small CLIP model from nothing on the demo dataset, and judge it on articles that it has not seen.

Every fifth article is held out, whole. Beside the dataset come to lie

    DIR/train_keys.txt, DIR/held_out_keys.txt   samples by article
    DIR/concepts.json                           the zero-shot task: which of the drawn concepts an image shows
    DIR/logs/seed-N/                            the run, with `loss.png`
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from biomedica.cli.output import Output

__all__ = ["Learned", "learn", "plot", "split"]

HELD_OUT_EVERY = 5
TEMPLATES = ("{}", "{}.", "Representative {}.")
CLASSES: dict[str, tuple[str, ...]] = {
    "fluorescence": ("Fluorescence microscopy of cells", "Immunofluorescence staining"),
    "histology": ("Histology of a tissue section", "H&E staining of tissue"),
    "electron": ("Transmission electron microscopy", "Electron micrograph"),
    "radiograph": ("Chest radiograph", "Chest X-ray"),
    "ct": ("Axial CT of the head", "Computed tomography of the brain"),
    "ultrasound": ("Ultrasound scan", "Sonogram"),
    "dermoscopy": ("Dermoscopy of a pigmented lesion", "Dermoscopic image of a skin lesion"),
    "fundus": ("Fundus photograph of the eye", "Retina"),
    "blot": ("Western blot", "Immunoblot analysis"),
    "gel": ("Agarose gel electrophoresis", "PCR gel"),
    "ecg": ("Electrocardiogram", "ECG recording"),
    "bar": ("Bar chart", "Bars with error bars"),
    "line": ("Line chart over time", "Time course"),
    "scatter": ("Scatter plot", "Correlation of data points"),
    "box": ("Box plots", "Box and whisker plots"),
    "heatmap": ("Heat map of gene expression", "Hierarchical clustering of genes"),
    "survival": ("Kaplan–Meier survival curves", "Overall survival"),
    "forest": ("Forest plot of studies", "Meta-analysis of trials"),
    "flowchart": ("Flow chart of the study", "PRISMA flow diagram"),
    "tree": ("Phylogenetic tree of species", "Maximum likelihood phylogeny"),
    "molecule": ("Chemical structure of a compound", "Skeletal formula"),
    "table": ("Table of variables", "Baseline characteristics"),
    "composite": ("Overview of the experiments in panels", "(A) one image. (B) another."),
}
"""What each concept of the corpus is called; none is a caption of it."""


@dataclass(frozen=True)
class Learned:
    """What came of the training."""

    directory: Path
    """Of the run."""
    loss_plot: Path
    metrics: dict[str, float]
    """Recall and zero-shot accuracy on the held-out articles, and chance beside."""

    def table(self) -> str:
        """The metrics beside chance, for people."""
        found = self.metrics
        count = found["samples"]
        rows = [
            (f"{way} recall@{k}", found[f"{way.replace(' ', '_')}_recall@{k}"], k / count)
            for way in ("image to text", "text to image")
            for k in (1, 5, 10)
        ]
        rows.append(("zero-shot accuracy", found["zero_shot_accuracy"], found["zero_shot_chance"]))
        rows.append(("  (always the commonest concept)", found["zero_shot_majority"], found["zero_shot_chance"]))
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

    split(directory)
    dataset = str(directory / "dataset")
    run = directory / "logs" / f"seed-{seed}"
    resumed = any(run.glob("checkpoints/step_*/checkpoint.json"))
    config = Config(
        train_data=(dataset,), selection=str(directory / "train_keys.txt"),
        val_data=(dataset,), val_selection=str(directory / "held_out_keys.txt"), val_frequency=0,
        zeroshot=str(directory / "concepts.json"),
        model="biomedica-tiny", batch_size=64, epochs=epochs, lr=1e-3, warmup=20, wd=0.1, grad_clip_norm=1.0,
        seed=seed, device="cpu", logs=str(directory / "logs"), name=run.name, resume="latest" if resumed else None,
        save_every="30s", keep=1, log_every=10, report_to="none",
    )  # fmt: skip
    result = biomedica.train.train(config, output=output)
    if result.stopped:
        raise KeyboardInterrupt
    rows = [json.loads(line) for line in (result.directory / "metrics.jsonl").read_text("utf-8").splitlines()]
    picture = result.directory / "loss.png"
    plot([(row["step"], row["loss"]) for row in rows if row["event"] == "step"], picture)
    return Learned(result.directory, picture, result.metrics)


def split(directory: Path) -> tuple[int, int]:
    """Write the keys of both halves and the zero-shot task; return how many samples each half has."""
    lines = (directory / "truth.jsonl").read_text("utf-8").splitlines()
    pairs = [row for row in map(json.loads, lines) if row["status"] == "ok"]
    articles = sorted({row["article_accession_id"] for row in pairs})
    held_out = set(articles[::HELD_OUT_EVERY])
    names: dict[str, list[str]] = {"train_keys.txt": [], "held_out_keys.txt": []}
    for row in pairs:
        half = "held_out_keys.txt" if row["article_accession_id"] in held_out else "train_keys.txt"
        names[half].append(row["image_id"])
    for name, keys in names.items():
        (directory / name).write_text("".join(f"{key}\n" for key in keys), "utf-8")
    task = {"templates": TEMPLATES, "classes": CLASSES, "labels": {row["image_id"]: row["concept"] for row in pairs}}
    (directory / "concepts.json").write_text(json.dumps(task, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return len(names["train_keys.txt"]), len(names["held_out_keys.txt"])


def plot(points: list[tuple[int, float]], path: Path) -> None:
    """Draw the loss over steps as a PNG."""
    from PIL import Image, ImageDraw

    width, height, left, top, right, bottom = 800, 500, 70, 40, 780, 450
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    steps, highest = max(step for step, _ in points), max(loss for _, loss in points) * 1.05
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        x = left + (right - left) * part / 4
        pen.line((left, y, right, y), fill="#dddddd")
        pen.text((left - 45, y - 6), f"{highest * part / 4:.2f}", fill="black")
        pen.text((x - 10, bottom + 8), f"{steps * part / 4:.0f}", fill="black")
    pen.rectangle((left, top, right, bottom), outline="black")
    pen.text((left, top - 22), "training loss over steps", fill="black")
    line = [(left + (right - left) * step / steps, bottom - (bottom - top) * loss / highest) for step, loss in points]
    pen.line(line, fill="#c03020", width=2, joint="curve")
    image.save(path)
