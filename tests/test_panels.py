"""Panels of real captions and mentions, against what a reader finds in them.

`judged_panels.json` has the labels of 144 figures of many publishers and years, by document and number of the figure,
judged before the splitter was run; `judged_mentions.json` those that 142 paragraphs name of a figure, by document, figure
and mention: 84 that name some, nine of them by places, and 58 that name none though letters stand near the number. No text
of theirs.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

import biomedica as bm
from test_jats_oracle import DATA, real_documents

GOAL = 0.95


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")
def test_labels_are_those_that_a_reader_finds() -> None:
    judged = json.loads((Path(__file__).parent / "judged_panels.json").read_text("utf-8"))
    names = {key.split("#")[0] for key in judged}
    right = found = wanted = 0
    for name, xml in real_documents():
        stem = Path(name).stem
        if stem not in names:
            continue
        for number, figure in enumerate(bm.parse_article(xml)["figures"], 1):
            if (labels := judged.get(f"{stem}#{number}")) is None:
                continue
            read = [panel["label"] for panel in figure["image_panels"] or []]
            right += (Counter(read) & Counter(labels)).total()
            found += len(read)
            wanted += len(labels)
    assert wanted > 250
    assert right / found > GOAL, "precision"
    assert right / wanted > GOAL, "recall"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")
def test_panels_of_mentions_are_those_that_a_reader_finds() -> None:
    judged = json.loads((Path(__file__).parent / "judged_mentions.json").read_text("utf-8"))
    names = {key.split("#")[0] for key in judged}
    wrong = []
    seen = 0
    for name, xml in real_documents():
        stem = Path(name).stem
        if stem not in names:
            continue
        for number, figure in enumerate(bm.parse_article(xml)["figures"], 1):
            assert len(figure["image_context_panels"]) == len(figure["image_context"])
            for place, read in enumerate(figure["image_context_panels"], 1):
                key = f"{stem}#{number}#{place}"
                seen += key in judged
                if judged.get(key, read) != read:
                    wrong.append(f"{key}: {read!r}, not {judged[key]!r}")
    assert seen >= len(judged)
    assert not wrong
