"""JATS as six publishers write it; each module has `spelling(rng)` and `write(doc, meta, plan)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biomedica.demo.write import bmc, elife, elsevier, frontiers, plos, pmc

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from biomedica.demo.rich import Spelling
    from biomedica.demo.write.doc import Doc
    from biomedica.demo.write.front import Meta
    from biomedica.demo.write.parts import Plan

__all__ = ["PUBLISHERS", "Publisher"]


class Publisher(NamedTuple):
    """The habits of one publisher."""

    spelling: Callable[[np.random.Generator], Spelling]
    write: Callable[[Doc, Meta, Plan], str]


PUBLISHERS: dict[str, Publisher] = {
    "plos": Publisher(plos.spelling, plos.write),
    "elife": Publisher(elife.spelling, elife.write),
    "elsevier": Publisher(elsevier.spelling, elsevier.write),
    "frontiers": Publisher(frontiers.spelling, frontiers.write),
    "bmc": Publisher(bmc.spelling, bmc.write),
    "pmc": Publisher(pmc.spelling, pmc.write),
}
"""By the short name that also stands in file names."""
