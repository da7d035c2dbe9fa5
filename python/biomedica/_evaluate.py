"""`evaluate`: models at tasks, with intervals, comparisons and averages, in a directory of its own."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Literal

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import storage
from biomedica.evaluation.compared import Draws
from biomedica.evaluation.data import TaskData
from biomedica.evaluation.features import cache_folder
from biomedica.evaluation.methods import checked_methods
from biomedica.evaluation.models import parse_models
from biomedica.evaluation.record import Evaluation
from biomedica.evaluation.run import Evaluating, Run
from biomedica.evaluation.tasks import find

__all__ = ["Evaluating", "evaluate"]

PACKAGES = ("biomedica", "numpy", "open_clip_torch", "pyarrow", "torch")


def evaluate(
    models: StrPath | Sequence[StrPath] | Mapping[str, StrPath],
    output: StrPath,
    *,
    tasks: Iterable[StrPath] | StrPath | None = None,
    data_root: StrPath | None = None,
    methods: Sequence[str] | str = ("zero-shot",),
    partial: bool = False,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    examples: int = 8,
    report: bool = True,
    batch_size: int = 64,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["fp32", "bf16"] | None = None,
    decoder: str = "auto",
    threads: int | None = None,
    cache: StrPath | Literal[False] | None = None,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Evaluating], object] | None = None,
) -> Evaluation:
    """Judge models by tasks: by the words of the tasks alone (zero-shot), and by classifiers that learn from their features.

    Features of images and texts are made once for each model and kept, by what they were made of: another evaluation of
    the same images, of another task or with other prompts, costs little. `output` gets `evaluation.json` (what is
    returned), `predictions/MODEL/TASK.METHOD.parquet`, `examples.parquet`, `report.html` and `report.md`; what an earlier
    evaluation left there is replaced. A task whose data are missing or damaged is told as such, and no average stands in for it.

    Args:
        models: What is judged, one or several: `ViT-B-32@openai`, `ViT-B-32@weights.safetensors`, a run or checkpoint of
            `train`, `hf-hub:org/name`, `local-dir:path`; each with `NAME=` before it or not; or these by name.
        output: A directory or a prefix of a store.
        tasks: Names of tasks or domains, task files and directories of these; all of the registry when not given.
        data_root: Where the paths of the tasks' data begin; see `tasks`.
        methods: `zero-shot`; `probe`, a logistic regression on the features of the task's training images; `few-shot-K`, the
            same on K images of each class, five times. A task that names no training images is cross-validated in five
            folds. Multiple choice and retrieval have zero-shot only.
        partial: Judge by the images that can be decoded where some cannot, and give averages of domains that lack tasks.
        draws: Of the bootstrap that makes intervals and compares models.
        level: Share of intervals that are to hold the true number.
        seed: Of the draws, and of random weights.
        examples: Of each model and task, images that are kept to look at; 0 for none.
        report: Write `report.html` and `report.md` too.
        batch_size: Images at a time.
        device: `cpu`, `cuda`, or `auto`: CUDA where there is one.
        precision: What the model computes in: `bf16` (autocast) on CUDA and `fp32` elsewhere, if not given.
        decoder: What decodes images, as `loader` has it.
        threads: Threads that decode; as many as there are cores when not given.
        cache: The folder of features; by default what `BIOMEDICA_CACHE` names, else `biomedica/features` in the user's
            cache. False for none that stays.
        storage_options: How the stores of URLs are spoken to; see `open`.
        progress: Called as the work goes on. What it raises stops the run.

    Returns:
        Scores with intervals, comparisons of each two models (Holm-corrected), averages by domain, costs, and a receipt.

    Raises:
        TaskError: A task is not known or malformed.
        ModelError: A model cannot be had.
        EvaluationError: The data of every task are missing, or the cache cannot be used.
        ValueError: An argument makes no sense.

    Example:
        >>> import biomedica as bm
        >>> found = bm.evaluate(["ViT-B-32@openai"], "evaluation/", tasks="dermatology", data_root="data/")  # doctest: +SKIP
        >>> found.primary("ViT-B-32-openai", "ham10000").value  # doctest: +SKIP
    """
    specs, methods = parse_models(models), checked_methods(methods)
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"level is {level} and draws {draws}, but must be between 0 and 1, and 1 or more")
    if batch_size < 1 or examples < 0:
        raise ValueError(f"batch_size is {batch_size} and examples {examples}, but must be 1 or more and 0 or more")
    if report or examples:
        import biomedica.web  # noqa: F401 - whether it can be is told now, not after hours
    files = storage(output, storage_options)
    given = [tasks] if isinstance(tasks, str | os.PathLike) else tasks
    run = Run(
        [TaskData(task, data_root, storage_options=storage_options) for task in find(given)],
        files, Draws(draws=draws, level=level, seed=seed),
        partial=partial, examples=examples, methods=methods, models=len(specs), progress=progress,
    )  # fmt: skip
    try:
        from biomedica.train.device import fastest
        from biomedica.train.distributed import joined
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("models need torch: pip install 'biomedica[evaluate]'", name=error.name) from error

    with ExitStack() as stack:
        world = stack.enter_context(joined(device, precision or fastest(device)))
        root = stack.enter_context(tempfile.TemporaryDirectory()) if cache is False else cache or cache_folder()
        for spec in specs:
            pair = spec.open(world.device, batch_size=batch_size, decoder=decoder, threads=threads, seed=seed)
            run.judge(spec, pair, world.device, root, batch_size)
    receipt = {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "methods": methods, "seed": seed, "draws": draws, "level": level, "partial": partial, "device": world.device.name,
        "precision": world.device.precision, "decoder": pair.images.decoder, "begun": run.begun,
    }  # fmt: skip
    found = run.finish(receipt)
    if report:
        from biomedica.web.evaluation.reports import write_reports

        write_reports(found, files)
    return found
