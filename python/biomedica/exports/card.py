"""The dataset card: `README.md` as the Hugging Face hub reads it, and people."""

import json
from collections.abc import Mapping
from typing import Any

from biomedica.exports.content import Taken

__all__ = ["card"]

LICENSES = {"CC0": "cc0-1.0"}
"""The hub's names for licences. Those of Creative Commons have versions there, which articles often leave unsaid."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip
ABOUT = (
    "Image-caption pairs of open-access articles of PubMed Central, made with"
    " [biomedica](https://pypi.org/project/biomedica/). Images are the publishers' own bytes."
)
TERMS = (
    "Each image stands under the licence of its article (`article_license`, `article_license_url`), not under one of the"
    " whole. Most ask that its authors are named: `attribution/<subset>/ATTRIBUTION.parquet` has authors, title,"
    " source and licence of every image. `noncommercial` permits no commercial use; what `other` permits must be read in"
    " each article."
)
FIELDS = {
    "image": "the publisher's image, its bytes unchanged",
    "caption": "the figure's caption as plain text",
    "image_id": "accession and number of the figure",
    "image_context": "paragraphs of the article that mention the figure",
    "image_panels": "what the caption says of each panel",
    "image_hash": "sha-256 of the image's bytes",
    "image_cluster_id": "the cluster of images that it belongs to",
    "image_panel_type": "`single` or `multi`, as experts judged its cluster",
    "image_primary_label": "global concepts of its cluster, by experts' majority",
    "image_secondary_label": "local concepts of its cluster, by experts' majority",
    "image_phash": "perceptual hash",
    "article_license": "the article's licence",
    "article_accession_id": "the article at PubMed Central",
    "article_mesh_terms": "MeSH terms by PubMed",
}
"""What the fields are that need saying; the others say it by their names."""


def card(
    taken: Mapping[str, Taken],
    columns: Mapping[str, object],
    patterns: Mapping[str, str],
    record: Mapping[str, Any] | None,
) -> str:
    """The text of the card.

    Args:
        taken: What there is of each subset.
        columns: The fields with their types.
        patterns: Of each configuration, where its files are.
        record: Of the selection, when there is one.
    """
    return "\n".join([*_front(taken, patterns), "", *_counts(taken), "", *_fields(columns), *_recipe(record), ""])


def _front(taken: Mapping[str, Taken], patterns: Mapping[str, str]) -> list[str]:
    """What the hub reads: YAML, of which JSON's strings are a part."""
    licenses = {name for one in taken.values() for name in one.licenses}
    known = LICENSES.get(*licenses) if len(licenses) == 1 else None
    pairs = sum(one.pairs for one in taken.values())
    size = next((name for most, name in SIZES if pairs < most), "100M<n<1B")
    lines = ["---", f"license: {known or 'other'}"]
    if known is None:
        lines.append(f"license_name: {json.dumps(', '.join(sorted(licenses)))}")
        lines.append("license_link: " + json.dumps("https://creativecommons.org/licenses/"))
    lines += ["task_categories:", "- image-to-text", "- zero-shot-image-classification"]
    lines += ["tags:", "- biology", "- medical", "- biomedica", "size_categories:", f"- {size}", "configs:"]
    for number, (name, pattern) in enumerate(patterns.items()):
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {json.dumps(pattern)}"]
        lines += ["  default: true"] * (number == 0)
    return [*lines, "---"]


def _counts(taken: Mapping[str, Taken]) -> list[str]:
    lines = [
        "# Figures of biomedical articles with their captions",
        "",
        ABOUT,
        "",
        "| subset | pairs | articles | pairs by licence |",
        "|---|---:|---:|---|",
    ]
    for name, one in taken.items():
        licenses = ", ".join(f"{license_} {count:,}" for license_, count in one.licenses.most_common())
        lines.append(f"| `{name}` | {one.pairs:,} | {one.articles:,} | {licenses} |")
    return [
        *lines,
        "",
        TERMS,
    ]


def _fields(columns: Mapping[str, object]) -> list[str]:
    lines = ["## Fields", "", "| field | type | |", "|---|---|---|"]
    return [*lines, *(f"| `{name}` | `{kind}` | {FIELDS.get(name, '')} |" for name, kind in columns.items())]


def _recipe(record: Mapping[str, Any] | None) -> list[str]:
    if record is None:
        return []
    text = json.dumps({"recipe": record["recipe"], "sha256": record["sha256"]}, indent=2, ensure_ascii=False)
    # JSON has no line that begins with backquotes, so that the fence cannot be closed from within.
    return ["", "## Selection", "", "The pairs were chosen by this recipe:", "", "```json", text, "```"]
