"""Label Studio's tasks and annotations, as its import and its JSON export have them.

A task is a cluster; its `data` has `cluster`, `clusters` and what is shown of it. An annotation is an answer: choices
`panel_type`, `global`, `local` and `ambiguous`, texts `panel_subtype`, `notes` and `expert`. Label Studio gives the
annotations of an import to whoever imports them, so that the expert's name is a text of the annotation; without it,
the name is that of the user who completed it.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from biomedica._sources import StrPath
from biomedica.concepts._entry import check_clusters
from biomedica.concepts.taxonomy import PANEL_TYPES, Taxonomy
from biomedica.exceptions import AnswerError

__all__ = ["config", "entries", "tasks"]

CHOICES, TEXTS = ("panel_type", "global", "local", "ambiguous"), ("panel_subtype", "notes", "expert")
SHOWN = "image"
"""The object that the controls belong to; of a task's data, the field that it shows."""
YES = "yes"


def config(taxonomy: Taxonomy | None = None) -> str:
    """The labelling interface of a project whose tasks `write_answers` writes: XML to paste into its settings.

    A task's `data` must have `image`, the address of a montage.
    """
    words = Taxonomy.load() if taxonomy is None else taxonomy
    lines = ["<View>", f'  <Image name="{SHOWN}" value="${SHOWN}"/>']
    lines += _choices("panel_type", PANEL_TYPES, "single-radio")
    lines += _choices("global", words.global_concepts, "multiple")
    lines += _choices("local", words.local_concepts, "multiple")
    lines += _choices("ambiguous", (YES,), "multiple")
    lines += [f'  <TextArea name="{name}" toName="{SHOWN}" placeholder="{name}" maxSubmissions="1"/>' for name in TEXTS]
    return "\n".join([*lines, "</View>", ""])


def tasks(
    answers: Sequence[Mapping[str, Any]], clusters: str, data: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A task for each cluster, with its answers (fields as in the format `json`) as annotations."""
    by_cluster: dict[int, list[Mapping[str, Any]]] = {number: [] for number in data}
    for answer in answers:
        by_cluster.setdefault(answer["cluster"], []).append(answer)
    return [
        {
            "data": {**data.get(number, {}), "cluster": number, "clusters": clusters},
            "annotations": [_annotation(answer) for answer in of_cluster],
        }
        for number, of_cluster in sorted(by_cluster.items())
    ]


def entries(value: Sequence[object], path: StrPath, clusters: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each answer of the tasks with its place, by the names of the format `json`. Cancelled annotations are none.

    Raises:
        AnswerError: A task or an annotation is not as Label Studio has it, or not about one of these clusters.
    """
    for number, task in enumerate(value):
        where = f"task {number}"
        data = task.get("data") if isinstance(task, dict) else None
        found = task.get("annotations", []) if isinstance(task, dict) else None
        if not isinstance(data, dict) or "cluster" not in data or not isinstance(found, list):
            raise AnswerError(f"{path}: {where}: not a task of Label Studio whose data has a `cluster`")
        check_clusters(data.get("clusters"), clusters, f"{path}: {where}")
        for place, annotation in enumerate(found):
            try:
                if not annotation.get("was_cancelled"):
                    yield f"{where}, annotation {place}", {"cluster": data["cluster"], **_answer(annotation)}
            except (AttributeError, KeyError, TypeError, IndexError) as error:
                raise AnswerError(
                    f"{path}: {where}: annotation {place} is not as Label Studio exports one (JSON, not JSON-MIN)"
                ) from error


def _choices(name: str, values: Sequence[str], choice: str) -> list[str]:
    head = f'  <Choices name="{name}" toName="{SHOWN}" choice="{choice}" showInline="true">'
    return [head, *(f'    <Choice value="{escape(value)}"/>' for value in values), "  </Choices>"]


def _annotation(answer: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, list[str]] = {
        "panel_type": [answer["panel_type"]] if answer["panel_type"] else [],
        "global": answer["global"],
        "local": answer["local"],
        "ambiguous": [YES] if answer["ambiguous"] else [],
        **{name: [answer[name]] if answer[name] else [] for name in TEXTS},
    }
    result = [
        {"from_name": name, "to_name": SHOWN, "type": kind, "value": {key: said[name]}}
        for names, kind, key in ((CHOICES, "choices", "choices"), (TEXTS, "textarea", "text"))
        for name in names
        if said[name]
    ]
    times = {"lead_time": answer["seconds"], "created_at": answer["at"]}
    return {"result": result, **{name: value for name, value in times.items() if value is not None}}


def _answer(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """What an annotation says, by the names of the format `json`."""
    said: dict[str, list[Any]] = {}
    for region in annotation["result"]:
        name = region.get("from_name")
        if name in CHOICES or name in TEXTS:
            values = region["value"]["text" if name in TEXTS else "choices"]
            said[name] = [values] if isinstance(values, str) else list(values)
    return {
        "expert": said["expert"][0] if said.get("expert") else _user(annotation.get("completed_by")),
        "panel_type": said["panel_type"][0] if said.get("panel_type") else None,
        "panel_subtype": said["panel_subtype"][0] if said.get("panel_subtype") else None,
        "global": said.get("global", []),
        "local": said.get("local", []),
        "ambiguous": bool(said.get("ambiguous")),
        "notes": "\n".join(said.get("notes", [])),
        "seconds": annotation.get("lead_time"),
        "at": annotation.get("created_at"),
    }


def _user(user: object) -> str:
    """The name of a user, whom exports give as a number or as an object."""
    if isinstance(user, dict):
        user = user.get("email") or user.get("username") or user.get("id")
    return "" if user is None else user if isinstance(user, str) else f"user {user}"
