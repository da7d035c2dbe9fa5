"""Pages without a server: files that load nothing, with style, scripts and images within them."""

import base64
import hashlib
from collections.abc import Sequence

from markupsafe import Markup

from biomedica.web.app import HERE, environment
from biomedica.web.images import Shown

__all__ = ["NOTHING", "inlined", "page", "policy"]

NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
"""An empty image, where one cannot be shown."""


def page(piece: str, template: str, title: str, **values: object) -> str:
    """A page of one file, without scripts, with the style of all pages and that of its piece within it.

    Args:
        piece: A folder here, with `static/PIECE.css` and `templates/`.
        template: One of its templates, which includes `standalone_head.html`.
        title: As the browser's tab says it.
        values: What the template puts in.
    """
    sheets = (HERE / "static" / "base.css", HERE / piece / "static" / f"{piece}.css")
    style = "".join(sheet.read_text("utf-8") for sheet in sheets)
    return (
        environment(piece)
        .get_template(f"{piece}/{template}")
        .render(
            policy=policy(style),
            style=Markup(style),  # noqa: S704 - files of this package
            title=title,
            **values,
        )
    )


def policy(style: str, scripts: Sequence[str] = ()) -> str:
    """What such a page may do, for its Content-Security-Policy: show this style and inlined images, run these scripts."""
    permitted = f"script-src {' '.join(map(_hash, scripts))}; " if scripts else ""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; {permitted}base-uri 'none'; form-action 'none'"
    )


def inlined(image: Shown) -> str:
    """An image as a `data:` address."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
