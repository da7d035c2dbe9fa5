"""The application that all pages belong to: their routes, templates, static files, and a dataset's images.

Pages come in pieces, each a folder of this package with `templates/` and `static/`. Templates escape whatever is put
into them, and a name that is not there is an error rather than nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from biomedica.dataset import Dataset
from biomedica.web.images import Images
from biomedica.web.security import SAFE, Guard

__all__ = ["Piece", "environment", "make_app", "render"]

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Piece:
    """Pages that belong together."""

    name: str
    """Of its folder here; its static files are at `/static/<name>/`."""
    title: str
    """How the other pages' navigation calls it."""
    path: str
    """Where it begins."""
    routes: Sequence[BaseRoute]
    """Plain functions run in threads, so that they may read disks and databases."""


class _Static(StaticFiles):
    """Files of this package; a newer version's are seen at once, unchanged ones are not sent again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def environment(*names: str) -> jinja2.Environment:
    """The templates common to all pages and those of pieces, such as `<name>/page.html`."""
    own = {name: jinja2.FileSystemLoader(HERE / name / "templates") for name in names}
    loaders = [jinja2.FileSystemLoader(HERE / "templates"), jinja2.PrefixLoader(own)]
    pages = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["count"] = "{:,}".format
    return pages


def make_app(dataset: Dataset, pieces: Sequence[Piece], *, token: str | None = None) -> Guard:
    """The application, guarded; `/` is the first piece.

    Args:
        dataset: Whose images `/image/<image_id>` gives.
        pieces: What else there is.
        token: What requests must have, where other machines can reach the server.
    """
    first = pieces[0].path
    routes: list[BaseRoute] = [route for piece in pieces for route in piece.routes]
    if first != "/":
        routes.append(Route("/", lambda _: RedirectResponse(first, status_code=303)))
    routes.append(Images(dataset).route)
    # Order: the folder of all pages would take the paths of the pieces' own.
    folders = [piece.name for piece in pieces if (HERE / piece.name / "static").is_dir()]
    routes += [Mount(f"/static/{name}", _Static(directory=HERE / name / "static")) for name in folders]
    routes.append(Mount("/static", _Static(directory=HERE / "static")))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _said, Exception: _failed})
    app.state.templates = environment(*(piece.name for piece in pieces))
    app.state.templates.globals.update(pieces=list(pieces), dataset_name=dataset.location)
    return Guard(app, token)


def render(request: Request, template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A page of a template; it is not kept by the browser, as what it shows changes."""
    text = request.app.state.templates.get_template(template).render(request=request, **values)
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def _said(request: Request, error: Exception) -> Response:
    """What the handler of a request said is wrong with it."""
    if not isinstance(error, HTTPException):
        raise error
    page = render(request, "error.html", error.status_code, text=error.detail)
    page.headers.update(error.headers or {})
    return page


def _failed(request: Request, error: Exception) -> Response:
    """A defect, or a dataset that cannot be read: the page has what may be told, the log has the rest."""
    from biomedica.exceptions import BiomedicaError

    known = isinstance(error, BiomedicaError) and request.method in SAFE
    return render(
        request, "error.html", 500, text=str(error) if known else "This page failed; the server's log says why."
    )
