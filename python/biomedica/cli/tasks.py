"""List the tasks that models can be evaluated on: domain, kind, classes, and whether the data are there.

The face of `biomedica.tasks`. With names, tells all of these tasks: where they come from and how to get their data.
"""

import argparse
from typing import TYPE_CHECKING, Any

from biomedica.cli.options import add_data_root, add_storage_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biomedica._tasks import Listed
    from biomedica.cli.output import Output

EXAMPLE = "biomedica tasks ham10000 own.toml --data-root data/ --check"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "tasks",
        nargs="*",
        metavar="TASK",
        help="name of a task or of a domain, a task file (.toml), or a directory of these (default: the registry)",
    )
    add_data_root(parser)
    parser.add_argument("--check", action="store_true", help="read all keys and labels and compare them with the task")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """List them; exit with 1 when data are damaged."""
    import biomedica

    listed = biomedica.tasks(
        args.tasks or None,
        data_root=args.data_root,
        check=args.check,
        storage_options=dict(args.storage_options),
    )
    if output.json:
        for one in listed:
            output.result("task", _values(one), "")
    else:
        text = "\n\n".join(map(_details, listed)) if args.tasks else _table(listed)
        output.result("tasks", {}, text)
    return 1 if any(_problems(one) for one in listed) else 0


def _problems(one: "Listed") -> list[str]:
    return [found.problem for found in (one, one.train) if found is not None and found.problem]


def _values(one: "Listed") -> dict[str, Any]:
    task = one.task
    return {
        "name": task.name,
        "domain": task.domain,
        "kind": task.kind,
        "metric": task.metric,
        "classes": [found.name for found in task.classes],
        "licence": task.licence,
        "citation": task.citation,
        "source_url": task.source_url,
        "how_to_get": task.how_to_get,
        "task_sha256": task.sha256,
        **_data_values(one),
        "train": None if one.train is None else _data_values(one.train),
    }


def _data_values(one: "Listed") -> dict[str, Any]:
    values: dict[str, Any] = {
        "data": one.task.data.location,
        "state": one.state,
        "missing": one.missing,
        "problem": one.problem,
    }
    if (split := one.split) is not None:
        values |= {"items": split.items, "by_class": dict(split.classes), "groups": split.groups}
        values |= {"unasked": split.unasked, "filtered": split.filtered, "split_sha256": split.sha256}
    return values


def _table(listed: "Sequence[Listed]") -> str:
    header = ("name", "domain", "kind", "classes", "data")
    lines = [header] + [
        (one.task.name, one.task.domain, one.task.kind, str(len(one.task.classes) or "-"), _state(one))
        for one in listed
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    text = [
        f"{name:{widths[0]}}  {domain:{widths[1]}}  {kind:{widths[2]}}  {classes:>{widths[3]}}  {state}"
        for name, domain, kind, classes, state in lines
    ]
    states = [one.state for one in listed]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("present", "missing", "damaged"))
    text.append(f"{len(listed)} tasks: {counts}; `biomedica tasks NAME` says how to get the data")
    return "\n".join(text + [f"{one.task.name}: {problem}" for one in listed for problem in _problems(one)])


def _state(one: "Listed") -> str:
    state = one.state if one.split is None else f"{one.split.items:,} images"
    return state if one.train is None else f"{state} (training images: {_state(one.train)})"


def _details(one: "Listed") -> str:
    task, split = one.task, one.split
    lines = [f"{task.name} ({task.domain}, {task.kind}, {task.metric})"]
    by_class = split.classes if split else {}
    for found in task.classes:
        count = f"  {by_class[found.name]:,} images" if split else ""
        lines.append(f"  {found.name}: {', '.join(found.prompts)}{count}")
    lines += [f"templates: {' | '.join(task.templates)}"] if task.kind != "retrieval" else []
    lines += [f"source: {task.source_url}", f"citation: {task.citation}", f"licence: {task.licence}"]
    lines += _data_lines(one, "data")
    lines += _data_lines(one.train, "training images") if one.train else []
    return "\n".join(lines)


def _data_lines(one: "Listed", what: str) -> list[str]:
    lines = []
    if split := one.split:
        lines.append(f"images: {split.items:,}; groups: {split.groups:,}; left out by filter: {split.filtered:,}")
        lines.append(f"split sha256: {split.sha256}")
    return [f"{what}: {one.state}", *lines, *(text for text in (one.missing, one.problem) if text)]
