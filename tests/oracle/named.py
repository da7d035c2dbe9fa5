"""The panels that a reference to a figure names: the rules of `jats::panel::reference`, written with patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from string import ascii_lowercase, ascii_uppercase

from oracle.panels import FUNCTION, NOUN, PLACE, VERBS

MOST = 256
_DASH = "[-\u2010-\u2015\u2212~]"
_PANEL = "(?:[Pp]anels? )?"
_PRIMES = "['’′″]*+"
_JOINS = [
    (re.compile(pattern), pattern in {f" ?{_DASH} ?", " to ", " through "})
    for pattern in (" ?, ?and ", " ?, ?", " and ", " ?& ?", "/", f" ?{_DASH} ?", " to ", " through ")
]
_BEHIND_NUMBER = re.compile(rf"[A-Za-z](?:\d+|[ivx]+)?{_PRIMES}(?!\w)")
_SPACED = re.compile(rf"(?:[a-z]|[A-Z][ivx]*){_PRIMES}(?!\w)")
_ELSEWHERE = re.compile(rf"[A-Za-z][ivx]*{_PRIMES}(?!\w)")
_GOES_ON = re.compile(rf"$|[.,;:)\]/&]|{_DASH}| [(\[]")
_WORD = re.compile(" ([A-Za-z]*)")
_PLACE_JOIN = "(?:, and |, | and | or | & |/|-| )"
_PLACED = re.compile(rf"(?:, ?| ?\(| )(?P<places>{PLACE}(?:{_PLACE_JOIN}{PLACE})*)(?P<noun> {NOUN})?", re.IGNORECASE)
_SAME = {"upper": "top", "lower": "bottom", "center": "middle", "centre": "middle"}
_CROSSING = [{up, side} for up in ("top", "bottom") for side in ("left", "right")]


@dataclass
class Reference:
    """What a reference says: letters and places by the numbers of figures, and where the letters end."""

    groups: list[tuple[str, set[str]]] = field(default_factory=list)
    end: int = 0

    def of(self, label: str | None) -> set[str]:
        """The letters and places for the figure of this label."""
        number = (re.findall("[0-9]+", label or "") or [None])[-1]
        return set().union(*(said for named, said in self.groups if named == number or len(self.groups) == 1))


@dataclass
class Reader:
    """Reads lists of letters in a text whose reference ends at a place."""

    text: str
    number: str
    end: int

    def goes_on(self, at: int) -> bool:
        """Whether what follows shows that a letter is a label."""
        word = _WORD.match(self.text, at)
        return bool(_GOES_ON.match(self.text, at)) or (
            word is not None and word.group(1) in {*FUNCTION, *VERBS} - {"the"}
        )

    def item(self, at: int, letters: str, *, is_range: bool, is_open: bool) -> tuple[int, str, bool] | None:
        """One more letter: where it ends, all letters, whether a parenthesis is open."""
        before = self.text[at - 1 : at]
        if not is_open and self.text[at : at + 1] == "(":
            at, is_open = at + 1, True
        pattern = _BEHIND_NUMBER if before in set("0123456789") else _SPACED if before == " " else _ELSEWHERE
        match = pattern.match(self.text, at)
        if match is None:
            return None
        letter = match.group()[0]
        if letters and (letter.islower() != letters[0].islower() or letter <= letters[-1]):
            return None
        between = map(chr, range(ord(letters[-1]) + 1, ord(letter))) if is_range else []
        end = match.end()
        if is_open and self.text[end : end + 1] == ")":
            end, is_open = end + 1, False
        return end, letters + "".join(between) + letter, is_open

    def read(self, at: int) -> tuple[str, int] | None:
        """The list at a place and its end."""
        state = self.item(at, "", is_range=False, is_open=False)
        if state is None:
            return None
        while True:
            end, letters, is_open = state
            for join, is_range in _JOINS:
                if not (match := join.match(self.text, end)):
                    continue
                begin = match.end()
                begin += len(self.number) if self.text.startswith(self.number, begin) else 0
                following = self.item(begin, letters, is_range=is_range, is_open=is_open)
                if following and (match.end() < self.end or self.goes_on(following[0])):
                    state = following
                    break
            else:
                return None if is_open else (letters, end)

    def behind_number(self, at: int) -> tuple[str, int] | None:
        """The list behind a figure's number and its end."""
        if found := self.read(at):
            return found
        match = re.compile(rf"{_DASH}|,? ?(?P<panel>{_PANEL})").match(self.text, at)
        if match is None or not (found := self.read(match.end())):
            return None
        return found if match.group("panel") or match.end() < self.end or self.goes_on(found[1]) else None

    def places(self, at: int) -> set[str]:
        """The places behind a figure's number, each as its words in order: `bottom left`."""
        match = _PLACED.match(self.text, at)
        if match is None or not (match.group("noun") or match.end() <= self.end or self.goes_on(match.end())):
            return set()
        found: list[set[str]] = []
        for part in re.finditer(rf"(?P<join>{_PLACE_JOIN}?)(?P<word>{PLACE})", match.group("places"), re.IGNORECASE):
            word = part.group("word").lower()
            word = _SAME.get(word, word)
            join = part.group("join")
            if join in {"-", " "} or (join == ", " and {*found[-1], word} in _CROSSING):
                found[-1].add(word)
            else:
                found.append({word})
        return {" ".join(sorted(words)) for words in found}


def reference(text: str, start: int, end: int) -> Reference:
    """What the reference from `start` to `end` says; the text ends where the next reference begins."""
    found = Reference(end=end)
    last = min(end, start + MOST)
    at = start
    while match := re.compile("[0-9]+").search(text, at, last):
        reader = Reader(text, match.group(), end)
        listed = reader.behind_number(match.end())
        letters, stop = listed or ("", match.end())
        found.groups.append((match.group(), set(letters) if listed else reader.places(match.end())))
        found.end = max(found.end, stop)
        at = stop
    if not found.groups and start < end:
        prefix = re.compile(f" ?{_PANEL}").match(text, start)
        listed = Reader(text, "", end).read(prefix.end() if prefix else start)
        if listed and listed[1] >= end:
            found.groups.append(("", set(listed[0])))
            found.end = listed[1]
    return found


def between(first: set[str], last: set[str]) -> set[str]:
    """The letters of each case between the last of some and the first of others."""
    found: set[str] = set()
    for alphabet in (ascii_lowercase, ascii_uppercase):
        left, right = first & set(alphabet), last & set(alphabet)
        if left and right:
            found |= {letter for letter in alphabet if max(left) < letter < min(right)}
    return found


def labels(said: set[str], panels: list[dict[str, str]] | None) -> str:
    """`A, B`, as the figure's own panels have them: a letter in its case, a place with its words."""
    own = [panel["label"] for panel in panels or []]
    letters = {one for one in said if len(one) == 1}
    cased = {one.swapcase() if one not in own and one.swapcase() in own else one for one in letters}
    places = [set(one.split(" ")) for one in said - letters]
    named = [label for label in own if any(words <= places_of(label) for words in places)]
    return ", ".join(sorted(cased) + named)


def places_of(label: str) -> set[str]:
    """The places of a panel's label."""
    return {_SAME.get(word, word) for word in re.findall(PLACE, label.lower())}
