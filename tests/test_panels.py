"""Panels of real captions, against what a reader found in them before the splitter was run.

`judged_panels.json` has the labels of 144 figures of many publishers and years, by document and number of the figure; no
text of theirs.
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
