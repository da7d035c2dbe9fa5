"""The pages that experts see: the door, a cluster, what was answered."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from biomedica.concepts.answers import Answer
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.web.annotate.clusters import SECTIONS, Cluster
from biomedica.web.annotate.form import answer_of, groups, proposals_of
from biomedica.web.annotate.ledger import Ledger
from biomedica.web.annotate.queue import after, queue_of
from biomedica.web.app import Piece, render

__all__ = ["PATH", "Pages"]

PATH = "/annotate"
THUMBNAIL = 192


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers the requests of experts. A page belongs to the expert whom its address names."""

    ledger: Ledger
    taxonomy: Taxonomy
    per_cluster: int | None = None

    def piece(self) -> Piece:
        """Them as a part of the application."""
        routes = [
            Route(PATH, self.door),
            Route(f"{PATH}/experts", _of_form(self.enter), methods=["POST"]),
            Route(f"{PATH}/next", self.next),
            Route(f"{PATH}/undo", _of_form(self.undo), methods=["POST"]),
            Route(f"{PATH}/answers", self.answers),
            Route(f"{PATH}/cluster/{{cluster:int}}", self.cluster),
            Route(f"{PATH}/cluster/{{cluster:int}}", _of_form(self.answer), methods=["POST"]),
        ]
        return Piece("annotate", "Annotate", PATH, routes)

    def door(self, request: Request, problem: str = "") -> Response:
        """Who is there, and how far each is."""
        queues = {expert: queue_of(self.ledger, expert, self.per_cluster) for expert in self.ledger.experts()}
        progress = [self.ledger.progress(expert, queue) for expert, queue in queues.items()]
        shown = {"experts": progress, "clusters": len(self.ledger.numbers()), "problem": problem}
        return render(request, "annotate/door.html", 422 if problem else 200, **shown)

    def enter(self, request: Request, form: FormData) -> Response:
        """Take an expert in."""
        expert = " ".join(str(form.get("expert", "")).split())
        try:
            Answer(0, expert, "single")
        except ValueError:
            return self.door(request, "Give a name of at most 200 characters.")
        self.ledger.add_expert(expert)
        return _to(f"{PATH}/next", expert)

    def next(self, request: Request) -> Response:
        """The cluster that the expert is to judge next, or that there is none."""
        expert = self._expert(request.query_params.get("expert", ""))
        queue = queue_of(self.ledger, expert, self.per_cluster)
        cluster = after(queue, self.ledger.states(expert))
        if cluster is not None:
            return _to(f"{PATH}/cluster/{cluster}", expert)
        return render(request, "annotate/done.html", expert=expert, progress=self.ledger.progress(expert, queue))

    def answers(self, request: Request) -> Response:
        """All that the expert said."""
        expert = self._expert(request.query_params.get("expert", ""))
        queue = queue_of(self.ledger, expert, self.per_cluster)
        states = self.ledger.states(expert)
        rows = sorted(states.items(), key=lambda pair: pair[1].at, reverse=True)
        progress = self.ledger.progress(expert, queue)
        return render(request, "annotate/answers.html", expert=expert, rows=rows, progress=progress)

    def cluster(self, request: Request) -> Response:
        """A cluster with the form for it, filled with what the expert said of it or took back."""
        expert = self._expert(request.query_params.get("expert", ""))
        cluster = self._cluster(request)
        state = self.ledger.states(expert).get(cluster.number)
        given = state.answer if state else None
        return self._page(request, cluster, expert, given or self.ledger.undone(expert, cluster.number))

    def answer(self, request: Request, form: FormData) -> Response:
        """Keep what the expert said of a cluster, or that it is to come later."""
        expert = self._expert(str(form.get("expert", "")))
        cluster = self._cluster(request)
        if form.get("action") == "skip":
            self.ledger.skip(expert, cluster.number)
            return _to(f"{PATH}/next", expert)
        known = groups(self.taxonomy, self.ledger.concepts())
        try:
            given = answer_of(form, cluster.number, expert)
        except ValueError as error:
            return self._page(request, cluster, expert, None, f"Not saved: {error}.", form)
        self.ledger.answer(given, proposals_of(given, known, map(str, form.getlist("proposal"))))
        return _to(f"{PATH}/next", expert)

    def undo(self, _: Request, form: FormData) -> Response:
        """Take back what the expert did last, and show its cluster again."""
        expert = self._expert(str(form.get("expert", "")))
        taken = self.ledger.undo(expert)
        return _to(f"{PATH}/next", expert) if taken is None else _to(f"{PATH}/cluster/{taken[0]}", expert)

    def _page(
        self,
        request: Request,
        cluster: Cluster,
        expert: str,
        answer: Answer | None,
        problem: str = "",
        form: FormData | None = None,
    ) -> Response:
        queue = queue_of(self.ledger, expert, self.per_cluster)
        states = self.ledger.states(expert)
        # What comes next is fetched while this one is judged.
        coming = after([number for number in queue if number != cluster.number], states)
        soon = self.ledger.cluster(coming) if coming is not None else None
        return render(
            request,
            "annotate/cluster.html",
            422 if problem else 200,
            cluster=cluster,
            expert=expert,
            groups=groups(self.taxonomy, [*self.ledger.concepts(), *_proposed(form)]),
            subtypes=self.ledger.subtypes(),
            said=_said(answer, form),
            problem=problem,
            progress=self.ledger.progress(expert, queue),
            thumbnails={image: _address(image, THUMBNAIL) for image in _images(cluster)},
            originals={image: _address(image) for image in _images(cluster)},
            soon=[_address(image, THUMBNAIL) for image in _images(soon)] if soon else [],
        )

    def _expert(self, expert: str) -> str:
        if expert not in self.ledger.experts():
            raise HTTPException(404, f"Nobody is called {expert[:200]!r} here: begin at the first page.")
        return expert

    def _cluster(self, request: Request) -> Cluster:
        number = request.path_params["cluster"]
        # A number that SQLite cannot hold is no cluster's.
        cluster = self.ledger.cluster(number) if number < 1 << 31 else None
        if cluster is None:
            raise HTTPException(404, f"There is no cluster {number}.")
        return cluster


def _of_form(page: Callable[[Request, FormData], Response]) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """A handler that gets the form of a request; it runs in a thread, as the other handlers do."""

    async def handler(request: Request) -> Response:
        async with request.form(max_files=0) as form:
            return await run_in_threadpool(page, request, form)

    return handler


def _said(answer: Answer | None, form: FormData | None) -> dict[str, Any]:
    """What the form is filled with: what was sent and not saved, or an answer, or nothing."""
    if form is not None:
        names = {name: [*map(str, form.getlist(name))] for name in ("global", "local")}
        texts = {name: str(form.get(name, "")) for name in ("panel_type", "panel_subtype", "notes", "seconds")}
        return {**names, **texts, "ambiguous": "ambiguous" in form}
    values = {} if answer is None else answer.as_dict()
    texts = {name: values.get(name) or "" for name in ("panel_type", "panel_subtype", "notes")}
    names = {name: values.get(name, []) for name in ("global", "local")}
    return {**names, **texts, "seconds": "", "ambiguous": values.get("ambiguous", False)}


def _proposed(form: FormData | None) -> list[tuple[str, str]]:
    """The local concepts that a form proposes, so that they are there when it is shown again."""
    texts = [] if form is None else [str(text).partition(";") for text in form.getlist("proposal")]
    return [(group, local) for group, _, local in texts if group and local]


def _images(cluster: Cluster) -> list[str]:
    return [sample.image_id for section in SECTIONS for sample in cluster.samples[section]]


def _address(image_id: str, size: int | None = None) -> str:
    return f"/image/{quote(image_id, safe='')}" + (f"?size={size}" if size else "")


def _to(path: str, expert: str) -> Response:
    return RedirectResponse(f"{path}?{urlencode({'expert': expert})}", status_code=303)
