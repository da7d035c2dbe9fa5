"""The panels of a figure, from its caption: the rules of `jats::panel`, written with patterns and no thought of speed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

_DASH = "[-\u2010-\u2015\u2212~]"
_ITEM = r"(?<![\w'’])[A-Za-z](?![\w'’])"
_JOIN = rf"(?: ?, ?and | ?, ?| and | ?& ?|/| ?{_DASH} ?)"
_BARE = re.compile(rf"{_ITEM}(?:{_JOIN}{_ITEM})*")
_WORD = r"(?:[Pp]anels? )?"
_PAREN = re.compile(rf"{_WORD}\( ?{_WORD}(?P<a>{_ITEM}(?:{_JOIN}{_ITEM})*) ?\)(?:{_JOIN}\({_ITEM}\))*")
_HALF = re.compile(rf"{_ITEM}\)")
PLACE = r"\b(?:upper|lower|top|bottom|left|right|middle|center|centre)\b"
NOUN = r"(?:panels?|rows?|columns?|images?|graphs?|plots?)\b"
_PLACES = re.compile(
    rf"(?P<open>\()?(?P<label>{PLACE}(?:(?: ?, ?| and |[- ]){PLACE})*(?: (?P<noun>{NOUN}))?)(?(open)\))"
    r"(?P<mark> ?[:,.](?!\w))?",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"([A-Za-z]+) ?$")
_SENTENCE = re.compile(r"[.?!][\"'”’)\]]* (?=[^a-z ])")
_ABBREVIATED = re.compile(
    r"(?:^|[ (])(?:e\.g|i\.e|vs|cf|[Ff]igs?|al|approx|[Rr]efs?|[Nn]o|nov|spp?|subsp|var|ca|[Ee]qs?|resp)\.$"
)
_ABBREVIATIONS = re.compile(r"[\w-]{1,12} ?[,:=] [^;.]*; [\w-]{1,12} ?[,:=] ")
FUNCTION = frozenset(
    "about after among at before between by during following for from in into is are of on per than the to under upon "
    "using versus via vs was were when with within without constituting including against across over".split()
)
VERBS = frozenset(
    "correspond corresponds depict depicts display displays give gives illustrate illustrates indicate indicates is are "
    "present presents represent represents show shows summarise summarises summarize summarizes was were and or".split()
)
CLOSINGS = (
    "abbreviations",
    "all data",
    "all error",
    "all experiments",
    "all images",
    "all results",
    "all scale",
    "all values",
    "asterisk",
    "additional data",
    "bar =",
    "bar:",
    "bar, ",
    "bars =",
    "bars:",
    "bars, ",
    "bars represent",
    "box ",
    "boxes ",
    "data are",
    "data represent",
    "data shown",
    "data were",
    "each experiment",
    "error bar",
    "experiments were",
    "for better visibility",
    "images are",
    "mean ±",
    "means ±",
    "results are",
    "results represent",
    "scale bar",
    "see also",
    "see text",
    "see the text",
    "statistical",
    "the data",
    "the error bar",
    "the scale bar",
    "values are",
    "values represent",
    "p values",
    "p<",
    "p <",
    "*",
    "†",
    "n =",
    "n=",
)
MOST_PLACES = 26


@dataclass(frozen=True)
class Marks:
    """What markup says of a caption: where its bold stretches are and where blocks begin."""

    bold: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()


@dataclass
class Candidate:
    """What looks like the label of a panel."""

    start: int
    end: int
    labels: str
    lead: bool
    """It stands where a sentence or a clause begins."""
    stem: bool
    """It stands before what it labels, but within a sentence."""
    bare: bool
    """Nothing but its place makes it a label."""


@dataclass
class Segment:
    """What is said of some panels."""

    labels: list[str]
    start: int
    marker: tuple[int, int]
    stem: str
    keeps_marker: bool = False
    own: str = ""
    base: list[Segment] = field(default_factory=list)

    def body(self, text: str) -> int:
        """Where what is said begins, behind the label and its punctuation."""
        end = self.marker[1]
        return end + len(text[end:]) - len(text[end:].lstrip(" .:,;)"))


def expand(listed: str) -> tuple[str, int]:
    """The labels of a list such as `A, C–E`, as far as they ascend, and where the list ends then."""
    found: list[str] = []
    end = 0
    for item in re.finditer(_ITEM, listed):
        letter = item.group()
        if found:
            if letter.islower() != found[0].islower() or letter <= found[-1]:
                break
            if re.search(_DASH, listed[end : item.start()]):
                found += [chr(code) for code in range(ord(found[-1]) + 1, ord(letter))]
        found.append(letter)
        end = item.end()
    return "".join(found), end


class Caption:
    """A caption and what can be asked of places in it."""

    def __init__(self, text: str, marks: Marks) -> None:
        self.text = text
        self.breaks = {at for at in marks.breaks if 0 < at < len(text)}
        self.bold = {}
        for start, end in marks.bold:
            inside = text[start:end]
            first = start + len(inside) - len(inside.lstrip(" "))
            last = start + len(inside.rstrip(" "))
            if first < last:
                self.bold[first] = last
        self.sentences = sorted(
            {match.end() for match in _SENTENCE.finditer(text) if not _ABBREVIATED.search(text[: match.start() + 1])}
            | self.breaks
        )

    def sentence_in(self, start: int, end: int) -> int | None:
        """The last beginning of a sentence within a stretch."""
        return max((at for at in self.sentences if start <= at <= end), default=None)

    def candidate(self, at: int) -> Candidate | None:  # noqa: C901, PLR0911, PLR0912 - the rules, one after the other
        """The candidate that begins at a place."""
        text = self.text
        before = text[:at].rstrip(" ")
        if re.search(r"[.?!][\"'”’]+$", before):
            before = before.rstrip("\"'”’")
        previous = before[-1:]
        is_start = not before or any(len(before) < b <= at for b in self.breaks)
        if at and (text[at - 1].isalnum() or text[at - 1] in "_'’") and not is_start and at not in self.bold.values():
            return None
        is_clause = (
            is_start
            or (at in self.bold.values() and text[at - 1] != " ")
            or (previous in ".;?!:" and not _ABBREVIATED.search(before))
        )
        word = match.group(1).lower() if (match := _LAST_WORD.search(text[:at])) else ""
        joined = previous == "," or word in {"and", "or"}
        stem = previous == ":" or joined or word in FUNCTION

        if paren := _PAREN.match(text, at):
            labels, end = expand(paren.group())
            if not re.search(_ITEM, paren.group()[end:]):
                after = text[paren.end() :]
                trails = not is_clause and (
                    not after.strip(" ") or after[0] in ".,;)" or after.startswith(" (") or self.verb_after(paren.end())
                )
                return Candidate(at, paren.end(), labels, is_clause, stem and not trails, False)
            return None
        bold_end = self.bold.get(at)
        if bold_end is not None:
            inside = text[at:bold_end]
            core = inside.strip("().:,; ")
            whole = _BARE.fullmatch(core)
            if whole:
                labels, end = expand(core)
                if end == len(core):
                    end = bold_end
                    if text[end : end + 1] == ")":
                        end += 1
                    marked = inside[-1] in ".,:)" or text[end : end + 1] in (".", ",", ":")
                    in_parens = previous == "(" or inside[0] == "("
                    if previous == "(":
                        return None
                    trails = not is_clause and (not marked or in_parens or self.verb_after(end))
                    return Candidate(at, end, labels, is_clause, not is_clause and not trails, False)
        if (is_clause or stem) and (half := _HALF.match(text, at)) and before.rfind("(") <= before.rfind(")"):
            return Candidate(at, half.end(), half.group()[0], is_clause, stem, False)
        if not is_clause and not joined:
            return None
        prefix = re.compile(r"[Pp]anels? ").match(text, at)
        begin = prefix.end() if prefix else at
        bare = _BARE.match(text, begin)
        if not bare:
            return None
        labels, length = expand(bare.group())
        end = begin + length
        mark, space = text[end : end + 1], text[end + 1 : end + 2]
        following = text[end + 2 : end + 3]
        if joined and not is_clause:
            is_marked = (
                len(labels) == 1
                and space == " "
                and (mark == ":" or (mark == "." and following.isalnum() and not following.islower()))
            )
            return Candidate(at, end, labels, False, True, False) if is_marked else None
        if mark in {".", ":", ","} and space in {" ", ""}:
            if mark == "." and len(labels) == 1 and following.islower():
                return None
            return Candidate(at, end, labels, True, False, False)
        if mark == " " and (prefix or len(labels) > 1 or labels.isupper()):
            return Candidate(at, end, labels, True, False, not prefix and len(labels) == 1)
        return None

    def verb_after(self, end: int) -> bool:
        """Whether a verb or `and` follows, of which the label is the subject or an object before it."""
        word = re.compile(r" ([a-z]+)\b").match(self.text, end)
        return word is not None and word.group(1) in VERBS

    def candidates(self) -> list[Candidate]:
        """All candidates, none within another."""
        found: list[Candidate] = []
        at = 0
        while at < len(self.text):
            candidate = self.candidate(at) if self.text[at].isalpha() or self.text[at] == "(" else None
            if candidate:
                # Letters that mark groups of a statistic are no panels.
                if not re.search(r"letters? ?$", self.text[: candidate.start]):
                    found.append(candidate)
                at = candidate.end
            else:
                at += 1
        return found


def panels_of(text: str | None, marks: Marks) -> list[dict[str, str]] | None:
    """`image_panels` of a caption; none when it has not at least two panels."""
    if not text:
        return None
    caption = Caption(text, marks)
    found = caption.candidates()
    mark_bare(caption, found)
    starts = [one for one in found if one.labels[0] in "Aa" and (one.lead or one.stem) and not one.bare]
    for first in starts[:1]:
        if panels := leading(caption, found, first):
            return panels
    return trailing(caption, found) or placed(caption)


def mark_bare(caption: Caption, found: list[Candidate]) -> None:
    """Takes a bare `A` for a label where it opens a sentence, a `B` behind it does too, and nothing else is an `A`."""
    if any(one.labels[0] == "A" and not one.bare for one in found):
        return
    opening = [one for one in found if one.lead and one.labels[0].isupper() and opens(caption.text[one.end :])]
    firsts = [at for at, one in enumerate(opening) if one.labels[0] == "A"]
    if firsts and any(one.labels[0] == "B" for one in opening[firsts[0] :]):
        opening[firsts[0]].bare = False


def opens(text: str) -> bool:
    """Whether a sentence begins behind a label."""
    return text[:1] == " " and text[1:2].isupper()


def unseen(seen: str, first: Candidate) -> str:
    """The first label that is to come."""
    code = ord(first.labels[0])
    while chr(code) in seen:
        code += 1
    return chr(code)


def leading(caption: Caption, found: list[Candidate], first: Candidate) -> list[dict[str, str]] | None:
    """Panels whose labels stand before what is said of them."""
    case = first.labels[0].islower()
    same = [one for one in found if one.labels.islower() == case]
    segments: list[Segment] = []
    seen = ""
    group: Segment | None = None
    refined = ""
    is_bare = False
    tail_at: int | None = None
    for index, one in enumerate(same):
        expected = unseen(seen, first)
        # A label that was forgotten does not end the list.
        is_next = one.labels[0] == expected or (bool(seen) and one.lead and one.labels[0] == chr(ord(expected) + 1))
        if is_next and not (one.lead or one.stem):
            is_next = not any(
                later.labels[0] == one.labels[0] and (later.lead or later.stem) for later in same[index + 1 :]
            )
        if is_next and one.bare:
            is_next = is_bare
        if is_next:
            tail_at = None
            segment = begin(caption, segments, one)
            segment.labels = [label for label in one.labels if label not in seen]
            segments.append(segment)
            seen += one.labels
            group = segment if len(one.labels) > 1 else None
            refined = ""
            is_bare = caption.text[one.start] != "("
        elif one.lead and not one.bare and segments:
            if group and set(one.labels) <= set(group.labels) - set(refined):
                segment = begin(caption, segments, one)
                segment.base = [group]
                segments.append(segment)
                refined += one.labels
            elif not set(one.labels) - set(seen) and tail_at is None:
                tail_at = one.start
    if len(seen) < 2:
        return None
    return compose(caption, segments, tail_at)


def begin(caption: Caption, segments: list[Segment], one: Candidate) -> Segment:
    """The segment that a label begins."""
    text = caption.text
    from_ = segments[-1].body(text) + 1 if segments else 0
    sentence = caption.sentence_in(from_, one.start)
    if sentence is None and not segments:
        sentence = 0
    if one.lead and text[: one.start].rstrip(" ")[-1:] != ":":
        stem = segments[-1].stem if segments and sentence is None else ""
        return Segment(list(one.labels), one.start, (one.start, one.end), stem)
    if sentence is None:
        return Segment(list(one.labels), one.start, (one.start, one.end), segments[-1].stem if segments else "")
    if one.stem or one.lead:
        return Segment(list(one.labels), sentence, (one.start, one.end), text[sentence : one.start].strip(" "))
    if re.match(r" [A-Z][a-z]", text[one.end :]) and segments:
        return Segment(list(one.labels), one.start, (one.start, one.end), "")
    return Segment(list(one.labels), sentence, (one.start, one.end), "", keeps_marker=True)


def compose(caption: Caption, segments: list[Segment], tail_at: int | None) -> list[dict[str, str]]:
    """Labels with their texts: what stands before all, what is said of the panel, what stands after all."""
    text = caption.text
    last = segments[-1]
    end = tail_at or len(text)
    # A paragraph after the one of the last label is of no panel.
    end = min([at for at in caption.breaks if last.body(text) < at < end] + [end])
    if caption.sentence_in(segments[0].body(text) + 1, last.marker[0]) is None:
        # All labels stand in one sentence: the next is of all panels.
        end = min([at for at in caption.sentences if last.body(text) < at < end] + [end])
    others = [text[at:].lower() for at in caption.sentences if segments[0].start < at < last.start]
    for at in caption.sentences:
        if last.body(text) < at < end:
            closing = next((one for one in CLOSINGS if text[at:].lower().startswith(one)), None)
            if _ABBREVIATIONS.match(text[at:]) or (closing and not any(other.startswith(closing) for other in others)):
                end = at
                break
    lead, tail = text[: segments[0].start].strip(" "), text[end:].strip(" ")
    stops = [following.start for _, following in pairwise(segments)] + [end]
    for one, stop in zip(segments, stops, strict=True):
        start = one.start if one.keeps_marker else one.marker[1]
        one.own = trimmed(text[start:stop])
    panels = []
    for one in segments:
        refinements = {label for other in segments if one in other.base for label in other.labels}
        for label in one.labels:
            if label in refinements:
                continue
            general = [base.own for base in one.base]
            parts = [lead, *[base.stem for base in one.base], *general, one.stem, one.own, tail]
            panels.append({"label": label, "text": " ".join(part for part in parts if part)})
    return sorted(panels, key=lambda panel: panel["label"])


def trimmed(text: str) -> str:
    """Without what joins it to its label and to the next panel."""
    text = text.lstrip(" .:,;)")
    while True:
        shorter = re.sub(r"(?:^| )(?:and|or)$", "", text.rstrip(" ,;"))
        if shorter == text:
            return text
        text = shorter


def trailing(caption: Caption, found: list[Candidate]) -> list[dict[str, str]] | None:
    """Panels whose labels stand after what is said of them: each has the sentences that end with its own."""
    text = caption.text
    found = [one for one in found if not one.bare]
    first = next((one for one in found if one.labels[0] in "Aa"), None)
    if first is None:
        return None
    same = [one for one in found if one.labels.islower() == first.labels.islower()]
    seen = ""
    spans: list[tuple[str, int, int, int]] = []
    for one in same:
        if one.labels[0] != unseen(seen, first):
            continue
        labels = "".join(label for label in one.labels if label not in seen)
        seen += labels
        end = min([at for at in caption.sentences if at >= one.end] + [len(text)])
        if spans and spans[-1][2] != end and not spans_end(text, spans[-1][3]):
            # What follows a label within a sentence is still said of it.
            spans[-1] = (*spans[-1][:2], caption.sentence_in(spans[-1][2], one.start) or spans[-1][2], spans[-1][3])
        if spans and spans[-1][2] == end:
            spans[-1] = (spans[-1][0] + labels, spans[-1][1], end, one.end)
        else:
            start = spans[-1][2] if spans else caption.sentence_in(0, one.start) or 0
            spans.append((labels, start, end, one.end))
    if len(seen) < 2:
        return None
    lead, tail = text[: spans[0][1]].strip(" "), text[spans[-1][2] :].strip(" ")
    panels = [
        {"label": label, "text": " ".join(part for part in (lead, text[start:end].strip(" "), tail) if part)}
        for labels, start, end, _ in spans
        for label in labels
    ]
    return sorted(panels, key=lambda panel: panel["label"])


def spans_end(text: str, end: int) -> bool:
    """Whether a label is the last word of its sentence."""
    return text[end : end + 1] in {"", ".", "?", "!", ")"}


def placed(caption: Caption) -> list[dict[str, str]] | None:
    """Panels that are told by their place: `Left:`, `Upper panel`, `(Top)`."""
    text = caption.text
    segments: list[Segment] = []
    seen: set[str] = set()
    for match in _PLACES.finditer(text):
        if len(segments) == MOST_PLACES:
            break
        at = match.start()
        before = text[:at].rstrip(" ")
        is_clause = not before or any(len(before) <= b <= at for b in caption.breaks) or before[-1] in ".;:?!"
        label = match.group("label")
        if not is_clause or not (match.group("open") or match.group("mark") or match.group("noun")):
            continue
        if not match.group("open") and not label[0].isupper() and before[-1:] not in {";", ":"}:
            continue
        if label.lower() not in seen:
            seen.add(label.lower())
            segments.append(Segment([label], at, (at, match.end()), ""))
    return compose_placed(caption, segments) if len(seen) > 1 else None


def compose_placed(caption: Caption, segments: list[Segment]) -> list[dict[str, str]]:
    """As `compose`, in the order of the caption."""
    order = [one.labels[0] for one in segments]
    return sorted(compose(caption, segments, None), key=lambda panel: order.index(panel["label"]))
