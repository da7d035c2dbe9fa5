"""The pages of `view`: overview, gallery, a figure, clusters, failures."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from biomedica.web.app import Piece, render
from biomedica.web.view.clusters import Clusters
from biomedica.web.view.index import MARK, UNMARK, Found, Index, QueryError
from biomedica.web.view.neighbours import Neighbours
from biomedica.web.view.summary import Summary, summarise

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pages"]

GALLERY = 48
LISTED = 50
FAILURES = 100
LONGEST_QUERY = 500
SHOWN = 12
"""Values of a facet that are seen at once, and those that unfold."""
UNFOLDED = 60
GROUP = "image_duplicate_group"
MOST_ROW = 1 << 40


@dataclass
class Pages:
    """Answers requests about a dataset."""

    index: Index
    neighbours: Neighbours
    selection: str | None = None
    """What the selection is called that limits the pages."""

    def pieces(self) -> list[Piece]:
        """Them as parts of the application."""
        return [
            Piece("view", "Overview", "/", [Route("/", self.overview)]),
            Piece("view", "Gallery", "/gallery", [Route("/gallery", self.gallery), Route("/figure/{image_id}", self.figure)]),
            Piece("view", "Clusters", "/clusters", [Route("/clusters", self.clusters), Route("/cluster/{number:int}", self.cluster)]),
            Piece("view", "Failures", "/failures", [Route("/failures", self.failures)]),
        ]  # fmt: skip

    @cached_property
    def summary(self) -> Summary:
        """The overview, which does not change."""
        return summarise(self.index)

    @cached_property
    def _clusters(self) -> Clusters:
        return Clusters(self.index)

    def overview(self, request: Request) -> Response:
        """What the dataset is made of."""
        absent = [text for text in (*self.summary.absent, self.neighbours.absent) if text]
        return self._render(request, "overview", summary=self.summary, absent=absent)

    def gallery(self, request: Request) -> Response:
        """Figures by facets and words."""
        asked = request.query_params
        chosen = {facet.name: asked[facet.name] for facet in self.index.facets if asked.get(facet.name)}
        words = " ".join(asked.get("q", "")[:LONGEST_QUERY].split())
        found, words_used, problem = self._search(chosen, words)
        rows, before, after = _page(found.rows, asked.get("after"), asked.get("before"), GALLERY)
        same = {**chosen, "q": words} if words else dict(chosen)
        facets = [
            {
                "title": facet.title,
                "name": facet.name,
                "chosen": chosen.get(facet.name),
                "values": [
                    (value, count, _href("/gallery", {**same, facet.name: value}))
                    for value, count in found.counts[facet.name][: SHOWN + UNFOLDED]
                ],
                "more": max(len(found.counts[facet.name]) - SHOWN - UNFOLDED, 0),
                "without": _href("/gallery", {key: value for key, value in same.items() if key != facet.name}),
            }
            for facet in self.index.facets
        ]
        return self._render(
            request,
            "gallery",
            cards=self.index.cards(rows, words_used),
            facets=facets,
            shown=SHOWN,
            chosen=chosen,
            words=words,
            problem=problem,
            total=len(found.rows),
            cut=found.cut,
            first=int(np.searchsorted(found.rows, rows[0])) + 1 if len(rows) else 0,
            before=None if before is None else _href("/gallery", {**same, "before": str(before)}),
            after=None if after is None else _href("/gallery", {**same, "after": str(after)}),
        )

    def _search(self, chosen: dict[str, str], words: str) -> tuple[Found, str, str]:
        """What is found, the search that was made, and what was wrong with the one that was asked for."""
        try:
            return self.index.find(chosen, words), words, ""
        except QueryError as error:
            plain = " ".join(f'"{word}"' for word in re.findall(r"\w+", words))
            problem = f"Not a search: {error}."
            try:
                found = self.index.find(chosen, plain)
            except QueryError:
                return self.index.find(chosen), "", f"{problem} All figures are shown."
            return found, plain, f"{problem} Its words were searched for as they are."

    def figure(self, request: Request) -> Response:
        """One figure with all that is known of it."""
        image_id = request.path_params["image_id"]
        figure = self.index.figure(image_id)
        if figure is None:
            raise HTTPException(
                404, f"There is no figure {image_id[:200]}{' in this selection' * bool(self.selection)}."
            )
        row = figure["row"]
        near = self.neighbours.of(image_id, int(self.index.vectors["part"][row]))
        rows = self.index.rows_of([one.image_id for one in near])
        cards = {card["row"]: card for card in self.index.cards(list(rows.values()))}
        neighbours = [(cards[rows[one.image_id]], one.cosine) for one in near if one.image_id in rows]
        known = [(facet, self.index.values(facet.name, row)) for facet in self.index.facets]
        contexts = figure["image_context"] or []
        panels = figure["image_context_panels"] or [""] * len(contexts)
        return self._render(
            request,
            "figure",
            figure=figure,
            doi=f"https://doi.org/{quote(figure['about']['article_doi'] or '')}",
            state=self.index.values("status", row)[0],
            size=(int(self.index.vectors["width"][row]), int(self.index.vectors["height"][row])),
            known=[(facet, values) for facet, values in known if values and values != ["none"]],
            mentions=list(zip(contexts, panels, strict=False)),
            neighbours=neighbours,
            compared=self.neighbours,
            others=self.index.cards(self.index.of_article(row)[:LISTED]),
            duplicates=self.index.cards(self._duplicates(row)),
        )

    def _duplicates(self, row: int) -> "NDArray[np.int64]":
        """The other figures of its group of near duplicates."""
        groups = self.index.vectors.get(GROUP)
        if groups is None or groups[row] < 0:
            return np.empty(0, np.int64)
        rows = np.flatnonzero((groups == groups[row]) & self.index.mask)
        others: NDArray[np.int64] = rows[rows != row][:LISTED]
        return others

    def clusters(self, request: Request) -> Response:
        """All clusters."""
        by_size = request.query_params.get("order") == "size"
        sizes = self._clusters.sizes if self._has_clusters else {}
        numbers = sorted(sizes, key=lambda number: (-sizes[number], number)) if by_size else list(sizes)
        page = _number(request.query_params.get("page"), 1)
        shown = self._clusters.listed(numbers[(page - 1) * LISTED : page * LISTED])
        rows = sorted({row for one in shown for row in one.nearest})
        cards = {card["row"]: card for card in self.index.cards(rows)}
        return self._render(
            request,
            "clusters",
            clusters=[(one, [cards[row] for row in one.nearest], self._clusters.labels(one.number)) for one in shown],
            count=len(numbers),
            by_size=by_size,
            page=page,
            pages=max(-(-len(numbers) // LISTED), 1),
            absent=self.index.meta["absent"].get("image_cluster_id"),
        )

    def cluster(self, request: Request) -> Response:
        """One cluster: images near its centre and far from it, its words and labels."""
        number = request.path_params["number"]
        if not self._has_clusters or number not in self._clusters.sizes:
            raise HTTPException(404, f"There are no images of a cluster {number}.")
        samples = self._clusters.samples(number)
        cards = {card["row"]: card for card in self.index.cards([one.row for some in samples.values() for one in some])}
        numbers = list(self._clusters.sizes)
        at = numbers.index(number)
        return self._render(
            request,
            "cluster",
            number=number,
            size=self._clusters.sizes[number],
            words=self._clusters.words(number),
            labels=self._clusters.labels(number),
            samples={name: [(cards[one.row], one.distance) for one in some] for name, some in samples.items()},
            before=numbers[at - 1] if at else None,
            after=numbers[at + 1] if at + 1 < len(numbers) else None,
        )

    @property
    def _has_clusters(self) -> bool:
        return "cluster" in self.index.vectors

    def failures(self, request: Request) -> Response:
        """What could not be read, by stage and reason."""
        asked = {name: request.query_params[name] for name in ("stage", "reason") if request.query_params.get(name)}
        where = " AND ".join(["id > ?", *(f"{name} = ?" for name in asked)])
        values = list(asked.values())
        after = _number(request.query_params.get("after"), 0)
        columns = "id, source, article, member, stage, reason, detail"
        sql = f"SELECT {columns} FROM failure WHERE {where} ORDER BY id LIMIT ?"  # noqa: S608 - names of ours
        rows = self.index.rows(sql, (after, *values, FAILURES + 1))
        (total,) = self.index.rows(f"SELECT COUNT(*) FROM failure WHERE {where}", (0, *values))[0]  # noqa: S608
        kinds = self.index.rows(
            "SELECT stage, reason, COUNT(*) FROM failure GROUP BY stage, reason ORDER BY 3 DESC, 1, 2"
        )
        following = {**asked, "after": str(rows[FAILURES - 1][0])} if len(rows) > FAILURES else None
        return self._render(
            request,
            "failures",
            rows=rows[:FAILURES],
            kinds=kinds,
            asked=asked,
            total=total,
            after=None if following is None else _href("/failures", following),
        )

    def _render(self, request: Request, name: str, **values: object) -> Response:
        return render(request, f"view/{name}.html", 200, selection=self.selection, marked=marked, href=_href, **values)


def marked(text: str) -> list[tuple[str, bool]]:
    """A caption in pieces, each with whether a search found it."""
    pieces = []
    for at, piece in enumerate(text.split(MARK)):
        found, _, rest = piece.partition(UNMARK) if at else ("", "", piece)
        pieces += [(found, True)] * bool(found) + [(rest, False)] * bool(rest)
    return pieces


def _page(
    rows: "NDArray[np.int64]", after: str | None, before: str | None, size: int
) -> tuple["NDArray[np.int64]", int | None, int | None]:
    """A page of ascending rows that begins after a row or ends before one, and what leads to the pages beside it."""
    if before is not None:
        end = int(np.searchsorted(rows, _number(before, 0)))
        first = max(end - size, 0)
    else:
        first = int(np.searchsorted(rows, _number(after, -1), side="right"))
    shown = rows[first : first + size]
    if not len(shown):
        return shown, None, None
    return shown, int(shown[0]) if first else None, int(shown[-1]) if first + size < len(rows) else None


def _number(text: str | None, otherwise: int) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        return otherwise
    return max(min(int(text[:15]), MOST_ROW), otherwise)


def _href(path: str, values: dict[str, str]) -> str:
    return f"{path}?{urlencode(values)}" if values else path
