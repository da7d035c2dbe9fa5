"""`leaderboard`: the models of several evaluations, ranked by the tasks that all of them have."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Storage, storage
from biomedica.evaluation.board import Leaderboard
from biomedica.evaluation.compared import Draws
from biomedica.evaluation.formats import Format
from biomedica.evaluation.ranking import Run, rank
from biomedica.evaluation.record import Evaluation
from biomedica.exceptions import EvaluationError

__all__ = ["ENDINGS", "Leaderboard", "leaderboard"]

ENDINGS: dict[str, Format | Literal["html"]] = {
    ".html": "html", ".htm": "html", ".md": "markdown", ".csv": "csv", ".json": "json", ".tex": "latex", ".txt": "text"
}  # fmt: skip
"""The format of a file by the end of its name."""


def leaderboard(
    runs: Sequence[StrPath] | StrPath,
    output: StrPath | None = None,
    *,
    format: Format | Literal["html"] | None = None,  # noqa: A002 - as in `annotate`
    method: str = "zero-shot",
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    storage_options: StorageOptions | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Leaderboard:
    """Rank the models of several evaluations by the average over the tasks that all of them have.

    A task counts only when its file and its split have the same sha-256 in all runs and every model has a score by it, of the
    same images; the others are named with the reason, and never compared. Each task counts the same. Intervals and
    p-values are made anew from the predictions, on the same draws for all models.

    Args:
        runs: What `evaluate` wrote: directories, or prefixes of stores.
        output: A file to write, in the place of one that may be there.
        format: Of the file: `html` (a page that needs no server), `markdown`, `csv`, `json`, `latex` or `text`; by the end
            of its name when not given.
        method: `zero-shot`, `probe` or `few-shot-K`.
        draws: Of the bootstrap.
        level: Share of intervals that are to hold the true number.
        seed: Of the draws.
        storage_options: How the stores of URLs are spoken to; see `open`.
        progress: Called with the tables of predictions that were looked at, and all of them.

    Returns:
        Models in order, with averages, comparisons with the first, and the tasks that do not count. A model whose name
        several runs have is called `RUN/MODEL`.

    Raises:
        EvaluationError: A run cannot be read, or there is no task that all models have.
        DatasetError: The file cannot be written.
        ValueError: An argument makes no sense, or the format is not known.

    Example:
        >>> import biomedica as bm
        >>> bm.leaderboard(["monday/", "tuesday/"], "leaderboard.html").models  # doctest: +SKIP
        ['tuned', 'ViT-B-32-openai']
    """
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"level is {level} and draws {draws}, but must be between 0 and 1, and 1 or more")
    form = None if output is None else _form(output, format)
    found = [os.fspath(one) for one in ([runs] if isinstance(runs, str | os.PathLike) else runs)]
    names = _names(found)
    opened = [
        Run(name, Evaluation.read(one, storage_options=storage_options), storage(one, storage_options))
        for name, one in zip(names, found, strict=True)
    ]
    how = Draws(draws=draws, level=level, seed=seed)
    board = Leaderboard(
        runs=dict(zip(names, found, strict=True)), method=method, draws=how,
        ranking=rank(opened, method, how, progress or (lambda *_: None)),
    )  # fmt: skip
    if output is not None and form is not None:
        files, name = _place(output, storage_options)
        if form == "html":
            from biomedica.web.evaluation.leaderboard import leaderboard_page

            text = leaderboard_page(board)
        else:
            text = board.formatted(form)
        files.write(name, text.encode())
    return board


def _form(output: StrPath, form: str | None) -> "Format | Literal['html']":
    ending = Path(os.fspath(output)).suffix.lower()
    asked = form or ENDINGS.get(ending)
    known = sorted(set(ENDINGS.values()))
    if asked is None:
        raise ValueError(f"{output}: no format is known by {ending or 'no ending'}; give one of {', '.join(known)}")
    for one in ENDINGS.values():
        if one == asked:
            return one
    raise ValueError(f"format is {asked!r}, not one of {', '.join(known)}")


def _names(runs: Sequence[str]) -> list[str]:
    """The last word of each run's path; all of the path where several have the same."""
    if not runs:
        raise ValueError("there is no run to rank")
    plain = [run.rstrip("/") for run in runs]
    if len(set(plain)) < len(plain):
        raise EvaluationError(f"the run {next(run for run in plain if plain.count(run) > 1)} is given twice")
    last = [Path(run).name or run for run in (str(Path(run).resolve()) if "://" not in run else run for run in plain)]
    return [name if last.count(name) == 1 else run for name, run in zip(last, plain, strict=True)]


def _place(output: StrPath, storage_options: StorageOptions | None) -> tuple[Storage, str]:
    text = os.fspath(output)
    if "://" in text:
        root, _, name = text.rpartition("/")
        return storage(root, storage_options), name
    return storage(Path(text).parent), Path(text).name
