"""Which text goes with an image: its caption, a panel's, or a paragraph that mentions it."""

import math
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Protocol

from biomedica.load.seeds import CAPTION, seed_of

__all__ = ["KINDS", "Captioned", "Captions"]

KINDS = ("caption", "panel", "mention")
"""Kinds of text, in the order in which probabilities are laid out."""


class Captioned(Protocol):
    """What is asked of a sample."""

    @property
    def caption(self) -> str:
        """The figure's caption."""

    @property
    def metadata(self) -> dict[str, Any]:
        """The figure's columns: `image_panels` and `image_context` are looked at."""


class Captions:
    """Chooses a text for each sample, by given probabilities.

    A sample without a text of the kind that is drawn, or with metadata that cannot be read, gives its caption; one of several panels or mentions is drawn
    evenly. The choice depends on seed, epoch and position alone.

    Args:
        probabilities: Of the kinds `caption`, `panel` and `mention`, as a mapping or as text; they are scaled to a sum
            of 1, and kinds not named have none.

    Raises:
        ValueError: A kind is unknown, or the probabilities are none.

    Example:
        >>> captions = Captions("caption=0.8,mention=0.2")
        >>> captions.probabilities
        {'caption': 0.8, 'panel': 0.0, 'mention': 0.2}
    """

    def __init__(self, probabilities: str | Mapping[str, float] = "caption=1") -> None:
        given = _parsed(probabilities) if isinstance(probabilities, str) else dict(probabilities)
        unknown = given.keys() - set(KINDS)
        if unknown:
            raise ValueError(f"captions: unknown kind {min(unknown)!r}; there are {', '.join(KINDS)}")
        total = sum(given.values())
        if not all(math.isfinite(value) and value >= 0 for value in given.values()) or not total > 0:
            raise ValueError(f"captions: {probabilities!r} must be probabilities of 0 or more, not all of them 0")
        self.probabilities = {kind: given.get(kind, 0) / total for kind in KINDS}
        self._ends = list(accumulate(self.probabilities.values()))
        self._is_plain = self.probabilities["caption"] == 1

    def choose(self, sample: Captioned, seed: int, epoch: int, position: int) -> tuple[str, str]:
        """The text of the sample at `position` of `epoch`, and the kind that it is."""
        if self._is_plain:
            return sample.caption, "caption"
        bits = seed_of(CAPTION, seed, epoch, position)
        # The upper half draws the kind, the lower half one of its texts.
        drawn = (bits >> 32) / (1 << 32)
        kind = next((kind for kind, end in zip(KINDS, self._ends, strict=True) if drawn < end), KINDS[0])
        texts = _TEXTS[kind](_metadata(sample)) if kind in _TEXTS else []
        if not texts:
            return sample.caption, "caption"
        return texts[((bits & 0xFFFFFFFF) * len(texts)) >> 32], kind


def _metadata(sample: Captioned) -> Mapping[str, Any]:
    """What is known of a sample: nothing, if its JSON is none or no object."""
    try:
        metadata: object = sample.metadata
    except ValueError:
        return {}
    return metadata if isinstance(metadata, Mapping) else {}


def _panels(metadata: Mapping[str, Any]) -> list[str]:
    panels = metadata.get("image_panels")
    texts = [panel.get("text") for panel in panels if isinstance(panel, dict)] if isinstance(panels, list) else []
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _mentions(metadata: Mapping[str, Any]) -> list[str]:
    texts = metadata.get("image_context")
    return [text for text in texts if isinstance(text, str) and text.strip()] if isinstance(texts, list) else []


_TEXTS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {"panel": _panels, "mention": _mentions}


def _parsed(text: str) -> dict[str, float]:
    """`caption=0.8,mention=0.2` as a mapping."""
    given: dict[str, float] = {}
    for item in text.split(","):
        kind, _, value = (word.strip() for word in item.partition("="))
        try:
            probability = float(value)
        except ValueError:
            raise ValueError(
                f"captions: {item.strip()!r} is no kind=probability, as in 'caption=0.8,mention=0.2'"
            ) from None
        if kind in given:
            raise ValueError(f"captions: {kind!r} is given twice")
        given[kind] = probability
    return given
