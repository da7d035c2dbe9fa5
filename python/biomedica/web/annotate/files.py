"""Answers out of a ledger into files, and back."""

import io
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from biomedica._sources import StrPath
from biomedica._storage import Directory
from biomedica.concepts._entry import Format
from biomedica.concepts.answers import Answer, read_answers, write_answers
from biomedica.concepts.label_studio import config
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.dataset import Dataset
from biomedica.exceptions import AnswerError
from biomedica.web.annotate.clusters import SECTIONS, Cluster
from biomedica.web.annotate.form import groups, proposals_of
from biomedica.web.annotate.ledger import Ledger
from biomedica.web.images import thumbnail

__all__ = ["export_answers", "import_answers", "montage"]

SIDE, GAP = 96, 4
"""Pixels of an image in a montage, and between two."""
LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files of its own machine, below the root that it is told."""


def import_answers(ledger: Ledger, path: StrPath, taxonomy: Taxonomy) -> int:
    """Take in a file of answers; gives how many were new. Concepts that are not in the taxonomy count as proposed.

    Raises:
        SourceNotFoundError: There is no such file.
        AnswerError: It is not what it should be, or about a cluster that is not there.
    """
    answers = read_answers(path, taxonomy=taxonomy, proposed=True)
    numbers = set(ledger.numbers())
    strange = next((answer.cluster for answer in answers if answer.cluster not in numbers), None)
    if strange is not None:
        raise AnswerError(f"{path}: there is no cluster {strange}; is the file about other clusters?")
    known = groups(taxonomy, ledger.concepts())
    return ledger.take(answers, [(*pair, answer.expert) for answer in answers for pair in proposals_of(answer, known)])


def export_answers(
    ledger: Ledger,
    path: StrPath,
    dataset: Dataset,
    *,
    format: Format | None,  # noqa: A002 - the word for it
    clusters: str,
    taxonomy: Taxonomy,
) -> None:
    """Write the answers that stand.

    For Label Studio, `<name>-images/<cluster>.jpg` beside the file are the montages that its tasks show, and
    `<name>-config.xml` is the labelling interface.

    Raises:
        ValueError: `format` is unknown, or `labels` and a cluster has several answers.
        DatasetError: The file cannot be written.
    """
    asked = format or ("csv" if str(path).lower().endswith(".csv") else "json")
    answers: list[Answer] = ledger.answers()
    data = None
    if asked == "label-studio":
        if "://" in str(path):
            raise ValueError(f"{path}: montages for Label Studio are written beside the file, in a directory")
        data = _tasks(ledger, Path(path), dataset, taxonomy)
    write_answers(path, answers, format=asked, clusters=clusters, taxonomy=taxonomy, data=data)


def montage(cluster: Cluster, dataset: Dataset) -> bytes:
    """A JPEG of a cluster's samples, a row or more for each section."""
    columns = 10
    rows = [
        found[at : at + columns]
        for name in SECTIONS
        for found in [cluster.samples[name]]
        for at in range(0, len(found), columns)
    ]
    step = SIDE + GAP
    sheet = Image.new("RGB", (columns * step + GAP, len(rows) * step + GAP), "white")
    for y, row in enumerate(rows):
        for x, sample in enumerate(row):
            try:
                image = Image.open(io.BytesIO(thumbnail(dataset.image(sample.image_id), SIDE).data))
            except (KeyError, ValueError):
                continue  # what cannot be shown leaves its place empty, as on the pages
            place = ((SIDE - image.width) // 2, (SIDE - image.height) // 2)
            sheet.paste(image, (GAP + x * step + place[0], GAP + y * step + place[1]))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _tasks(ledger: Ledger, path: Path, dataset: Dataset, taxonomy: Taxonomy) -> dict[int, dict[str, str]]:
    beside = Directory(path.parent)
    folder = f"{path.stem}-images"
    data = {}
    for number in ledger.numbers():
        cluster = ledger.cluster(number)
        if cluster is not None:
            name = f"{folder}/{number}.jpg"
            beside.write(name, montage(cluster, dataset))
            data[number] = {"image": LOCAL_FILES + quote(name), "words": ", ".join(word.text for word in cluster.words)}
    beside.write(f"{path.stem}-config.xml", config(taxonomy).encode())
    return data
