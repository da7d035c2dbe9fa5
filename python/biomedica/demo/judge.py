"""From the demo's trained model to a judgement of it: tuning, evaluation, WiSE-FT, and leaks that were planted.

Beside the dataset and what `learn` wrote come to lie

    DIR/logs/tuned-N/       the model of seed N, trained on with the figures of `TUNED` alone
    DIR/evaluation/         an untrained model, the trained and the tuned one at the tasks of the held-out articles
    DIR/wise-ft/            weights between the trained and the tuned one, and `merged.png`: the tasks over alpha
    DIR/planted/            copies of images of the dataset, as test sets have them
    DIR/leaks/              which of them `leaks` finds, and a page of pairs
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from biomedica.cli.output import Output
    from biomedica.demo.learn import Learned
    from biomedica.evaluation.record import Evaluation
    from biomedica.train.merge import Merged

__all__ = ["COPIES", "Judgement", "judge", "plant"]

TUNED = frozenset({"fluorescence", "histology", "electron", "radiograph", "ct", "ultrasound", "dermoscopy", "fundus"})
"""Concepts that the second training sees: the model gets better at these, and forgets some of the others."""
EPOCHS, LR = 16, 5e-4
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
PLANTED = 60
"""Images of which copies are planted."""
COPIES = ("exact", "re-encoded", "resized", "flipped")


@dataclass(frozen=True)
class Judgement:
    """What came of it."""

    evaluation: "Evaluation"
    merged: "list[Merged]"
    found: dict[str, tuple[int, int]]
    """Of each kind of copy, how many of the planted leaks were found, and how many were planted."""

    def table(self) -> str:
        """For people."""
        lines = ["leaks: " + ", ".join(f"{found} of {planted} {kind}" for kind, (found, planted) in self.found.items())]
        for one in self.merged:
            numbers = ", ".join(f"{name} {value:.3f}" for name, value in one.metrics.items() if "chance" not in name)
            lines.append(f"alpha {one.alpha:g}: {numbers}")
        return "\n".join(lines)


def judge(directory: Path, learned: "Learned", *, seed: int = 0, output: "Output | None" = None) -> Judgement:
    """Tune, evaluate, merge and look for leaks; about two minutes on two cores.

    Args:
        directory: Where `biomedica demo DIR --train` was.
        learned: What came of it.
        seed: Of the tuning.
        output: Where progress goes.

    Raises:
        ModuleNotFoundError: torch, open_clip or what draws pages is missing.
    """
    import biomedica
    from biomedica.train import Config
    from biomedica.train import checkpoint as checkpoints

    tasks = [str(directory / "tasks" / f"{name}.toml") for name in ("concepts", "captions")]
    base = checkpoints.find("latest", learned.directory / "checkpoints")
    run = directory / "logs" / f"tuned-{seed}"
    config = Config(
        train_data=(str(directory / "dataset"),), selection=str(_tuned(directory)), pretrained=str(base.path),
        model="biomedica-tiny", batch_size=64, epochs=EPOCHS, lr=LR, warmup=10, wd=0.1, grad_clip_norm=1.0, seed=seed,
        device="cpu", logs=str(run.parent), name=run.name, save_every="never", keep=1, report_to="none",
        resume="latest" if any(run.glob("checkpoints/step_*/checkpoint.json")) else None,
    )  # fmt: skip
    tuned = biomedica.train.train(config, output=output)
    if tuned.stopped:
        raise KeyboardInterrupt
    models = {"untrained": "biomedica-tiny@random", "trained": str(learned.directory), "tuned": str(tuned.directory)}
    evaluation = biomedica.evaluate(
        models, directory / "evaluation", tasks=tasks, methods=("zero-shot", "probe"), cache=directory / "features", seed=seed,
        partial=True,  # some images of the demo are cut in their pixels, on purpose
    )  # fmt: skip
    merged = biomedica.merge(
        base.path, tuned.checkpoint, directory / "wise-ft" / "merged.safetensors", alpha=ALPHAS,
        config=Config(model="biomedica-tiny", device="cpu", eval_tasks=tuple(tasks)),
    )  # fmt: skip
    planted = plant(directory)
    found = biomedica.leaks(directory / "dataset", directory / "leaks", against=directory / "planted")
    return Judgement(evaluation, merged, _found(directory / "leaks", planted) if found.images else {})


def plant(directory: Path) -> dict[str, int]:
    """Write copies of images of the dataset as a test set; gives how many of each kind.

    Args:
        directory: Where the dataset is; the copies go to DIR/planted/KIND/IMAGE_ID.
    """
    import biomedica

    dataset = biomedica.open(directory / "dataset")
    keys = (directory / "train_keys.txt").read_text("utf-8").split()
    for key in keys[:: max(1, len(keys) // PLANTED)]:
        data = bytes(dataset.image(key))
        image = Image.open(io.BytesIO(data)).convert("RGB")
        smaller = image.resize((max(1, image.width * 2 // 3), max(1, image.height * 2 // 3)), Image.Resampling.BICUBIC)
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        files = dict(zip(COPIES, (data, _jpeg(image, 50), _jpeg(smaller, 90), _jpeg(mirrored, 75)), strict=True))
        for kind, copy in files.items():
            path = directory / "planted" / kind / f"{key}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(copy)
    return {kind: sum(1 for _ in (directory / "planted" / kind).iterdir()) for kind in COPIES}


def _tuned(directory: Path) -> Path:
    """The keys of training pairs with one of `TUNED`."""
    lines = map(json.loads, (directory / "truth.jsonl").read_text("utf-8").splitlines())
    wanted = {row["image_id"] for row in lines if row["concept"] in TUNED}
    keys = (directory / "train_keys.txt").read_text("utf-8").split()
    path = directory / "tuned_keys.txt"
    path.write_text("".join(f"{key}\n" for key in keys if key in wanted), "utf-8")
    return path


def _found(leaks: Path, planted: dict[str, int]) -> dict[str, tuple[int, int]]:
    import pyarrow.parquet as pq

    keys = set(pq.read_table(leaks / "leaked.parquet", columns=["key"])["key"].to_pylist())
    return {kind: (sum(key.startswith(f"{kind}/") for key in keys), count) for kind, count in planted.items()}


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
