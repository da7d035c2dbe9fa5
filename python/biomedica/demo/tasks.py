"""The held-out half of the demo as tasks of evaluation: which concept an image shows, and which caption is its own.

DIR/tasks/held_out.parquet   key, image, concept, caption and article of each held-out pair
DIR/tasks/concepts.toml      the first question: `demo-concepts`
DIR/tasks/captions.toml      the second: `demo-captions`
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from biomedica.dataset import Dataset

__all__ = ["CLASSES", "write_tasks"]

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

HEAD = """\
name = {name}
domain = "demo"
kind = {kind}
licence = "CC0-1.0"
citation = "Drawn by biomedica."
source_url = "https://creativecommons.org/publicdomain/zero/1.0/"
how_to_get = "Run `biomedica demo DIR --train`."
{more}
[data]
format = "parquet"
path = "held_out.parquet"
split = "held-out articles"
key = "key"
group = "article"
"""


def write_tasks(directory: Path, dataset: "Dataset", concepts: Mapping[str, str], keys: Sequence[str]) -> list[Path]:
    """Write both tasks and their images; gives the task files.

    Args:
        directory: Where they go.
        dataset: Has the images and captions.
        concepts: Of each image, by its id.
        keys: The ids of the images to ask about.
    """
    directory.mkdir(parents=True, exist_ok=True)
    columns = ["image_id", "caption", "article_accession_id"]
    found = dataset.figures().to_table(columns=columns, filter=pc.field("image_id").isin(list(keys)))
    ids = found["image_id"].to_pylist()
    rows = {
        "key": ids, "image": [bytes(dataset.image(one)) for one in ids], "concept": [concepts[one] for one in ids],
        "caption": found["caption"], "article": found["article_accession_id"],
    }  # fmt: skip
    pq.write_table(pa.table(rows), directory / "held_out.parquet")
    classes = "".join(
        f"\n[[classes]]\nname = {_quoted(name)}\nprompts = {_quoted(list(prompts))}\n"
        for name, prompts in CLASSES.items()
    )
    templates = f"templates = {_quoted(list(TEMPLATES))}\n"
    texts = {
        "concepts": HEAD.format(name='"demo-concepts"', kind='"classify"', more=templates)
        + f'label = "concept"\n{classes}',
        "captions": HEAD.format(name='"demo-captions"', kind='"retrieval"', more='metric = "recall@10"\n')
        + 'captions = "caption"\n',
    }
    paths = []
    for name, text in texts.items():
        paths.append(directory / f"{name}.toml")
        paths[-1].write_text(text, "utf-8")
    return paths


def _quoted(value: str | list[str]) -> str:
    """As TOML has it, whose strings and lists are JSON's."""
    return json.dumps(value, ensure_ascii=False)
