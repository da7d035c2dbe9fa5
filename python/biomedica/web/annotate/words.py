"""The words that captions of one cluster have and those of others have not.

A word's weight is the term of the divergence between the cluster and the dataset that it makes, p log(p / q), where p
and q are the shares of captions that have it. Source: T. Tomokiyo and M. Hurst, "A language model approach to keyphrase
extraction", ACL 2003 workshop on multiword expressions (informativeness).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple

__all__ = ["Word", "common_words"]

WORD = re.compile(r"[^\W\d_][\w-]*\w")
LONGEST = 40
SHOWN = 16
LEAST = 2
"""Captions that must have a word."""
STOP = frozenset(
    """
    about above after all also although among and another any are around as at based be because been before being below
    between both but by can cannot could did do does doing due during each either et al few for from further had has have
    having he her here his how however if in into is it its itself just left less like may might more most much must nor
    not of off on once one only or other our out over own per right same several shall she should since so some such than
    that the their them then there these they this those three through to too two under until up upon used using very via
    was we well were what when where whereas whether which while who whose why will with within without would you your
    additional case caption corresponding different example examples fig figs figure figures first following given group
    groups image images indicate indicated indicates left lower middle number obtained panel panels present presented
    represent representative represents respectively result results right second see shown show showing shows table
    third top total upper value values bottom
    """.split()
)
"""Words of the language, and of captions whatever they show."""


class Word(NamedTuple):
    """A word of a cluster's captions."""

    text: str
    share: float
    """Of the cluster's captions that have it."""


def common_words(captions: Mapping[int, Sequence[str]], sizes: Mapping[int, int]) -> dict[int, list[Word]]:
    """Each cluster's commonest words relative to all clusters, the most telling first.

    Args:
        captions: Some captions of each cluster.
        sizes: How many images each has: the dataset's shares are those of its clusters, weighted by their sizes.
    """
    shares = {cluster: _shares(texts) for cluster, texts in captions.items()}
    whole: defaultdict[str, float] = defaultdict(float)
    total = sum(sizes[cluster] for cluster in captions if captions[cluster])
    for cluster, of_cluster in shares.items():
        for word, share in of_cluster.items():
            whole[word] += share * sizes[cluster] / total
    found = {}
    for cluster, of_cluster in shares.items():
        least = LEAST / max(len(captions[cluster]), 1) if len(captions[cluster]) > LEAST else 0.0
        telling = {
            word: share * log(share / whole[word]) if len(shares) > 1 else share
            for word, share in of_cluster.items()
            if share >= least
        }
        best = sorted((word for word in telling if telling[word] > 0), key=lambda word: (-telling[word], word))
        found[cluster] = [Word(word, of_cluster[word]) for word in best[:SHOWN]]
    return found


def _shares(texts: Sequence[str]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(_words(text)))
    return {word: count / len(texts) for word, count in counts.items()}


def _words(text: str) -> Iterable[str]:
    for match in WORD.finditer(text.lower()):
        word = match.group()
        if word not in STOP and len(word) <= LONGEST:
            yield word
