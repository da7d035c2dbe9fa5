"""The page of a leaderboard, one static file."""

from biomedica.evaluation.board import Leaderboard, by_task, left_out, models, standings
from biomedica.evaluation.record import Average, Score
from biomedica.evaluation.tables import ALL, Table
from biomedica.web.evaluation.forest import Row, forest
from biomedica.web.evaluation.page import WORDS
from biomedica.web.evaluation.radar import radar
from biomedica.web.standalone import page

__all__ = ["leaderboard_page"]


def leaderboard_page(board: Leaderboard) -> str:
    """The page, which needs no server, no network and no script.

    Args:
        board: What is ranked.
    """
    ranking, names = board.ranking, board.models
    by_domain: dict[str, dict[str, Average]] = {}
    for one in ranking.averages:
        by_domain.setdefault(one.domain, {})[one.model] = one
    whole = by_domain.pop("", {})
    rows = [Row(ALL, whole), *(Row(domain, own) for domain, own in by_domain.items() if len(by_domain) > 1)]
    domains = dict.fromkeys(task.domain for task in ranking.tasks)
    plots = [
        forest(
            domain,
            [
                Row(f"{task.name}, {task.metric}", _scores(board, task.name), task.chance)
                for task in ranking.tasks
                if task.domain == domain
            ],
            names,
        )
        for domain in domains
    ]
    values = {domain: {name: one.value for name, one in own.items()} for domain, own in by_domain.items()}
    return page(
        "evaluation",
        "leaderboard.html",
        board.title,
        **WORDS,
        models=names,
        standings=standings(board),
        overview=forest("Averages", rows, names),
        radar=radar(values, names),
        by_task=by_task(board),
        plots=[plot for plot in plots if plot is not None],
        left_out=left_out(board),
        receipts=[_runs(board), models(board), _tasks(board)],
        run=f"{board.draws.draws:,} draws, level {board.draws.level:g}, seed {board.draws.seed}",
    )


def _scores(board: Leaderboard, task: str) -> dict[str, Score]:
    return {one.name: one.scores[task] for one in board.ranking.competitors}


def _runs(board: Leaderboard) -> Table:
    return Table("Runs", ("run", "where it lies"), tuple(board.runs.items()))


def _tasks(board: Leaderboard) -> Table:
    rows = tuple((one.name, one.sha256, one.split_sha256 or "–", one.items) for one in board.ranking.tasks)
    return Table("Tasks", ("task", "sha-256 of task", "sha-256 of split", "images"), rows)
