"""Answers: what experts said of clusters, and the files that hold them.

The formats, which `read_answers` tells apart by their content:

- `json`: `{"format": 1, "clusters": name, "taxonomy": sha-256, "answers": [...]}`, one object an answer;
- `labels`: settled labels as the BIOMEDICA paper has them in `cluster_labels.json`, by cluster:
  `{"17": {"panel_type", "panel_subtype", "global_class": [], "local_class": []}}`, read as the answers of one expert;
- `csv`: one row an answer, lists joined by semicolons; for spreadsheets;
- `label-studio`: tasks of Label Studio with their annotations.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from biomedica._sources import StrPath
from biomedica.concepts import _csv, label_studio
from biomedica.concepts._entry import FIELDS, Format, check_clusters, fields_of, in_papers_form, parsed
from biomedica.concepts._files import read_file, write_file
from biomedica.concepts.taxonomy import AMBIGUOUS, PANEL_TYPES, Taxonomy, name_problem
from biomedica.exceptions import AnswerError

__all__ = ["SETTLED", "Answer", "latest", "read_answers", "unknown_concept", "write_answers"]

SETTLED = "settled"
"""The expert of answers that were read from settled labels, which do not say whose they are."""
FORMAT = 1
MOST_ANSWERS = 1_000_000
MOST_CONCEPTS, LONGEST_EXPERT, LONGEST_NOTES = 100, 200, 10_000
"""What an answer may have: concepts of a level, characters of a name and of notes."""
LARGEST_CLUSTER = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One expert's judgement of one cluster.

    Raises:
        ValueError: A value is not what its field takes; the message says which.
    """

    cluster: int
    """The cluster's number."""
    expert: str
    """Whose answer it is."""
    panel_type: str | None
    """`single` or `multi`; None is for ambiguous clusters alone."""
    panel_subtype: str | None = None
    """A word for the kind of panels; None where there is nothing to add."""
    global_concepts: tuple[str, ...] = ()
    """The groups of the taxonomy that the cluster belongs to."""
    local_concepts: tuple[str, ...] = ()
    """What its images show, by the names of those groups."""
    ambiguous: bool = False
    """That nothing can be said of the cluster as a whole. It counts as the concepts `Ambiguous` and `ambiguous`."""
    notes: str = ""
    seconds: float | None = None
    """How long the expert looked."""
    at: datetime | None = None
    """When it was given; UTC."""

    def __post_init__(self) -> None:
        problem = next(_problems(self), None)
        if problem is not None:
            raise ValueError(problem)
        for name in ("global_concepts", "local_concepts"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        if self.at is not None:
            moment = self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)
            object.__setattr__(self, "at", moment.astimezone(UTC))

    @property
    def global_votes(self) -> frozenset[str]:
        """The global concepts that the answer speaks for."""
        return frozenset(self.global_concepts) | {AMBIGUOUS[0]} if self.ambiguous else frozenset(self.global_concepts)

    @property
    def local_votes(self) -> frozenset[str]:
        """The local concepts that the answer speaks for."""
        return frozenset(self.local_concepts) | {AMBIGUOUS[1]} if self.ambiguous else frozenset(self.local_concepts)

    def as_dict(self) -> dict[str, Any]:
        """The answer as the format `json` has it."""
        return fields_of(self)


def read_answers(
    path: StrPath, *, taxonomy: Taxonomy | None = None, proposed: bool = False, clusters: str | None = None
) -> list[Answer]:
    """Read a file of answers, of any format that `write_answers` writes.

    Args:
        path: The file or its URL.
        taxonomy: Whose concepts the answers may name; the published one when not given.
        proposed: Take concepts that are not in the taxonomy too.
        clusters: The name of the clusters that the answers must be about, where the file says which these are.

    Returns:
        The answers in the file's order, also several by one expert of one cluster; `latest` chooses among those.

    Raises:
        SourceNotFoundError: There is no such file.
        AnswerError: It is not of a known format, or an entry is not what it should be; the message names the file and
            the entry and, for a concept that is not in the taxonomy, the nearest that is.
    """
    words = Taxonomy.load() if taxonomy is None else taxonomy
    answers = []
    for number, (where, entry) in enumerate(_entries(read_file(path), path, clusters)):
        if number >= MOST_ANSWERS:
            raise AnswerError(f"{path}: more than {MOST_ANSWERS:,} answers")
        try:
            answer = Answer(**parsed(entry))
        except (ValueError, TypeError) as error:
            raise AnswerError(f"{path}: {where}: {error}") from error
        if not proposed and (problem := unknown_concept(answer, words)):
            raise AnswerError(f"{path}: {where}: {problem}")
        answers.append(answer)
    return answers


def unknown_concept(answer: Answer, taxonomy: Taxonomy) -> str | None:
    """What is wrong with the first concept of an answer that is not in a taxonomy; None when all are."""
    problem = taxonomy.unknown(answer.global_concepts, local=False)
    problem = problem or taxonomy.unknown(answer.local_concepts, local=True)
    return None if problem is None else f"{problem}; proposed concepts are taken when asked for"


def write_answers(
    path: StrPath,
    answers: Iterable[Answer],
    *,
    format: Format = "json",  # noqa: A002 - the word for it
    clusters: str = "default",
    taxonomy: Taxonomy | None = None,
    data: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Write answers to a file, whole or not at all, in the place of one that may be there.

    Args:
        path: The file or its URL.
        answers: In any order, which the file keeps.
        format: `json`, `labels`, `csv` or `label-studio`; `labels` keeps neither experts nor notes and takes one answer
            a cluster.
        clusters: The name of the clusters that the answers are about.
        taxonomy: Whose concepts they name; the published one when not given.
        data: For `label-studio`: of each cluster, what its task shows, such as `{"image": URL}`. Clusters without
            answers become tasks to be done.

    Raises:
        ValueError: `format` is unknown, or is `labels` and two answers are about one cluster.
        DatasetError: The file cannot be written.
    """
    found = list(answers)
    if format == "json":
        words = Taxonomy.load() if taxonomy is None else taxonomy
        head = {"format": FORMAT, "clusters": clusters, "taxonomy": words.sha256}
        text = _json({**head, "answers": [answer.as_dict() for answer in found]})
    elif format == "labels":
        text = _json(_settled(found))
    elif format == "csv":
        text = _csv.text(FIELDS, (answer.as_dict() for answer in found))
    elif format == "label-studio":
        text = _json(label_studio.tasks([answer.as_dict() for answer in found], clusters, data or {}))
    else:
        raise ValueError(f"no format is called {format!r}; there are {', '.join(get_args(Format))}")
    write_file(path, text.encode())


def latest(answers: Iterable[Answer]) -> list[Answer]:
    """One answer for each expert and cluster, by cluster and expert: the latest, or the later in order of equals."""
    chosen: dict[tuple[int, str], Answer] = {}
    first = datetime.min.replace(tzinfo=UTC)
    for answer in answers:
        key = (answer.cluster, answer.expert)
        if key not in chosen or (answer.at or first) >= (chosen[key].at or first):
            chosen[key] = answer
    return [chosen[key] for key in sorted(chosen)]


def _entries(data: bytes, path: StrPath, clusters: str | None) -> Iterable[tuple[str, Any]]:
    """Each answer's place in the file, with its fields as in the format `json`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswerError(f"{path}: not UTF-8 text: at byte {error.start}") from error
    if not text.lstrip().startswith(("{", "[")):
        yield from _csv.rows(text, FIELDS, path)
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"{path}: not JSON: {error}") from error
    if isinstance(value, list):
        yield from label_studio.entries(value, path, clusters)
    elif "answers" in value or "format" in value:
        if value.get("format") != FORMAT or not isinstance(value.get("answers"), list):
            raise AnswerError(f"{path}: not a file of answers of format {FORMAT}")
        check_clusters(value.get("clusters"), clusters, f"{path}")
        yield from ((f"answer {number}", entry) for number, entry in enumerate(value["answers"]))
    else:
        yield from (_of_settled(cluster, labels, path) for cluster, labels in value.items())


def _of_settled(cluster: str, labels: object, path: StrPath) -> tuple[str, dict[str, Any]]:
    where = f"cluster {cluster!r:.40}"
    if not (cluster.isascii() and cluster.isdigit()):
        raise AnswerError(f"{path}: {where}: not a cluster's number; is this a file of answers?")
    known = {"panel_type", "panel_subtype", "global_class", "local_class"}
    if not isinstance(labels, dict) or not labels.keys() <= known:
        raise AnswerError(f"{path}: {where}: not an object of {', '.join(sorted(known))}")
    named = {"global": labels.get("global_class", []), "local": labels.get("local_class", [])}
    panels = {"panel_type": labels.get("panel_type"), "panel_subtype": labels.get("panel_subtype")}
    ambiguous = isinstance(named["global"], list) and AMBIGUOUS[0] in named["global"]
    return where, {"cluster": int(cluster), "expert": SETTLED, **panels, **named, "ambiguous": ambiguous}


def _settled(answers: Sequence[Answer]) -> dict[str, dict[str, Any]]:
    labels = {
        str(answer.cluster): in_papers_form(
            answer.panel_type, answer.panel_subtype, answer.global_votes, answer.local_votes
        )
        for answer in answers
    }
    if len(labels) < len(answers):
        raise ValueError("settled labels have one answer a cluster; these answers have several of some")
    return labels


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _problems(answer: Answer) -> Iterator[str]:
    """What is wrong with an answer, whose values may come from a file as they are."""
    raw: Any = answer  # whatever the types say
    number = raw.cluster
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST_CLUSTER:
        yield f"{number!r:.40} is not a cluster's number"
    if not isinstance(raw.ambiguous, bool):
        yield f"ambiguous: {answer.ambiguous!r:.40} is neither true nor false"
    if answer.panel_type not in PANEL_TYPES and not (answer.panel_type is None and answer.ambiguous):
        yield f"panel_type: {answer.panel_type!r:.40} is not {' or '.join(PANEL_TYPES)}"
    seconds = answer.seconds
    if seconds is not None and not (isinstance(seconds, (int, float)) and 0 <= seconds < float("inf")):
        yield f"seconds: {seconds!r:.40} is not a number of seconds"
    yield from _problems_of_texts(answer)


def _problems_of_texts(answer: Answer) -> Iterator[str]:
    for what, text, most in (("expert", answer.expert, LONGEST_EXPERT), ("notes", answer.notes, LONGEST_NOTES)):
        if not isinstance(text, str) or len(text) > most:
            yield f"{what}: not a text of at most {most:,} characters"
    if not answer.expert or not answer.expert.isprintable() or answer.expert != answer.expert.strip():
        yield f"expert: {answer.expert!r} is not a name"
    if answer.panel_subtype is not None and (problem := name_problem(answer.panel_subtype)):
        yield f"panel_subtype: {problem}"
    for level, names in (("global", answer.global_concepts), ("local", answer.local_concepts)):
        if not isinstance(names, (list, tuple)) or len(names) > MOST_CONCEPTS:
            yield f"{level}: not a list of at most {MOST_CONCEPTS} concepts"
        yield from (f"{level}: {problem}" for problem in map(name_problem, names) if problem)
