"""An evaluation's directory as `evaluate` writes it, of models whose skill is known."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from biomedica._storage import storage
from biomedica.evaluation.compared import Draws, averages, comparisons
from biomedica.evaluation.examples import Example, write_examples
from biomedica.evaluation.predictions import About, Predictions
from biomedica.evaluation.record import Cost, Evaluation, JudgedModel, JudgedTask, Score
from biomedica.evaluation.scores import chance, scores

SCRIPT = "<script>alert('x')</script>"
SKILLS = {"untuned": 0.4, "tuned": 0.9}
IMAGES = 120
DRAWS = Draws(draws=200, level=0.95, seed=0)
CELLS = ("basophil", "eosinophil", "erythroblast", "lymphocyte", "monocyte", SCRIPT)
METRICS = {"classify": "accuracy", "choice": "accuracy", "multilabel": "auroc", "retrieval": "recall@10"}
"""The tasks' metrics by kind."""
TASKS: tuple[tuple[str, str, str], ...] = (
    ("blood-cells", "microscopy", "classify"),
    ("many-cells", "microscopy", "classify"),
    ("tissue-questions", "pathology", "choice"),
    ("colon-polyps", "pathology", "classify"),
    ("chest-findings", "radiology", "multilabel"),
    ("figure-captions", "figures", "retrieval"),
    ("lost-lesions", "radiology", "missing"),
    ("torn-retina", "figures", "partial"),
)
CLASSES = {"blood-cells": CELLS, "many-cells": tuple(f"cell {number}" for number in range(40))}


def judged(
    folder: Path,
    models: dict[str, float] | None = None,
    tasks: Sequence[tuple[str, str, str]] = TASKS,
    *,
    methods: Sequence[str] = ("zero-shot",),
    seed: int = 0,
    partial: bool = True,
    sha256: str = "ab" * 32,
) -> Evaluation:
    """Writes it and gives what it says."""
    files, skills = storage(folder), models or SKILLS
    made = {
        (model, name, method): _predictions(model, name, kind, method, skill + 0.02 * at, seed, sha256)
        for model, skill in skills.items()
        for name, _, kind in tasks
        if kind in METRICS
        for at, method in enumerate(methods)
        if method == "zero-shot" or kind in {"classify", "multilabel"}
    }
    for one in made.values():
        one.write(files)
    judged_tasks = tuple(_task(name, domain, kind, made, sha256) for name, domain, kind in tasks)
    metrics = {task.name: task.metric for task in judged_tasks}
    found: list[Score] = []
    for (_, name, _), one in made.items():
        found += scores(one, metrics[name], **DRAWS.options)
    of_tasks: dict[str, list[str]] = {}
    for _, task, method in made:
        of_tasks[task] = list(dict.fromkeys([*of_tasks.get(task, []), method]))

    def read(model: str, task: str, method: str) -> Predictions:
        return made[model, task, method]

    evaluation = Evaluation(
        models=tuple(
            JudgedModel(
                name=name, model=f"{name}@random", logit_scale=100.0,
                record={"weights": f"{at}f" * 32, "image_size": 224, "versions": {"torch": "2.9"}},
            )
            for at, name in enumerate(skills)
        ),
        tasks=judged_tasks,
        scores=tuple(found),
        comparisons=tuple(comparisons(list(skills), judged_tasks, of_tasks, read, DRAWS, partial=partial)),
        averages=tuple(averages(list(skills), judged_tasks, of_tasks, read, DRAWS, partial=partial)),
        costs=tuple(
            Cost(model=model, task=name, images=IMAGES, encoded=min(at, 1) * IMAGES, seconds=0.5 + at, device="cpu")
            for at, (model, name) in enumerate((model, name) for model in skills for name in metrics)
        ),
        receipt={
            "versions": {"python": "3.11.2", "numpy": "2.4"}, "seed": 0, "draws": 200, "level": 0.95, "partial": partial,
            "device": "cpu", "precision": "fp32", "decoder": "rust", "begun": "2026-11-26T12:00:00+00:00",
        },
    )  # fmt: skip
    evaluation.write(files)
    _write_examples(list(skills), judged_tasks, files)
    return evaluation


def _task(name: str, domain: str, kind: str, made: dict[tuple[str, str, str], Predictions], sha256: str) -> JudgedTask:
    there = kind in METRICS
    one = next((found for (_, task, _), found in made.items() if task == name), None)
    return JudgedTask(
        name=name, domain=domain, kind=kind if there else "classify", metric=METRICS.get(kind, "accuracy"),
        state="evaluated" if there else "partial" if kind == "partial" else "missing",
        reason=None if there else f"no such folder {SCRIPT}; get it from its authors",
        items=IMAGES if there else 0, unreadable=3 if kind == "partial" else 0,
        classes=dict.fromkeys(one.about.classes, IMAGES // len(one.about.classes)) if one and one.about.classes else {},
        chance=chance(one, METRICS[kind]) if one else None, sha256=sha256, split_sha256="cd" * 32 if there else None,
        licence="CC BY 4.0", citation=f"A. Author & B. Other, 50% of {SCRIPT}",
        source_url="https://example.org/data" if kind != "choice" else "javascript:alert(1)",
    )  # fmt: skip


def _predictions(model: str, task: str, kind: str, method: str, skill: float, seed: int, sha256: str) -> Predictions:
    """As often right as the skill says."""
    classes = CLASSES.get(task, ("yes", "no", "unsure")) if kind in {"classify", "multilabel"} else ()
    about = About(
        model=model, weights="w", task=task, task_sha256=sha256, kind=kind, method=method, classes=classes
    )  # fmt: skip
    truth, rng = np.random.default_rng([seed, len(task)]), np.random.default_rng([seed, len(task), len(model)])
    columns: dict[str, Any] = {"key": [f"image {number}" for number in range(IMAGES)]}
    if kind == "multilabel":
        has = truth.random((IMAGES, len(classes))) < 0.4
        columns["labels"] = [np.flatnonzero(row).tolist() for row in has]
        columns["scores"] = (rng.normal(size=has.shape) + 2 * skill * has).astype(np.float32)
    elif kind == "retrieval":
        places = rng.geometric(0.3 * skill, (2, IMAGES)) - 1
        columns |= {"image_to_text": places[0] % IMAGES, "text_to_image": [[place % IMAGES] for place in places[1]]}
    else:
        options = len(classes) or 4
        labels = truth.integers(0, options, IMAGES)
        said = np.where(rng.random(IMAGES) < skill, labels, rng.integers(0, options, IMAGES))
        logits = rng.normal(size=(IMAGES, options)).astype(np.float32)
        logits[np.arange(IMAGES), said] = logits.max(1) + rng.random(IMAGES)
        columns |= {"label": labels, "predicted": said, "scores": logits}
    return Predictions.of(about, columns)


def _write_examples(models: Sequence[str], tasks: Sequence[JudgedTask], files: Any) -> None:
    found, shown = list[Example](), dict[tuple[str, str], bytes]()
    for task in tasks:
        for model in models:
            for number in range(3 if task.kind in METRICS and task.state == "evaluated" else 0):
                own: dict[str, Any] = {"confidence": 0.9 - 0.1 * number}
                if task.kind == "retrieval":
                    own = {"rank": 7 * number}
                found.append(
                    Example(
                        model=model, task=task.name, method="zero-shot", key=f"image {number} {SCRIPT}",
                        right=[f"right {SCRIPT}"], said=["said one", "said two"][: 1 + number % 2], **own,
                    )
                )  # fmt: skip
                if number:
                    shown[task.name, found[-1].key] = picture(number)
    write_examples(found, shown, files)


def picture(seed: int) -> bytes:
    """A JPEG of a gradient."""
    across, down = np.meshgrid(np.arange(120), np.arange(80))
    pixels = np.stack([across * 2, down * 3, (across + down) * seed % 255], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
