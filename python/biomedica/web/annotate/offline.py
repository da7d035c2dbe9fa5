"""Pages for experts who have no server: one a cluster, with all that it needs in it.

Such a page loads nothing. Its policy permits its own script and style, by their hashes, and images that lie in it. What
an expert says is kept by the browser and saved as a file of answers, which `annotate(imports=…)` takes.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from biomedica._sources import StrPath
from biomedica._storage import Directory
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.dataset import Dataset
from biomedica.web.annotate.clusters import SECTIONS, Cluster
from biomedica.web.annotate.form import groups
from biomedica.web.annotate.ledger import Ledger
from biomedica.web.app import HERE, environment
from biomedica.web.images import small
from biomedica.web.standalone import NOTHING, inlined, policy

__all__ = ["write_pages"]

SIDE = 256
"""Of the images in a page, which are also shown alone."""
SCRIPTS = ("annotate.js", "offline.js")
EMPTY = {
    "panel_type": "",
    "panel_subtype": "",
    "global": [],
    "local": [],
    "ambiguous": False,
    "notes": "",
    "seconds": "",
}


def write_pages(
    ledger: Ledger,
    directory: StrPath,
    dataset: Dataset,
    *,
    clusters: str,
    taxonomy: Taxonomy,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Write `index.html` and `cluster-<number>.html` of every cluster.

    Raises:
        DatasetError: They cannot be written.
    """
    files = Directory(Path(directory))
    own = HERE / "annotate" / "static"
    style = (HERE / "static" / "base.css").read_text("utf-8") + (own / "annotate.css").read_text("utf-8")
    scripts = [(own / name).read_text("utf-8") for name in SCRIPTS]
    templates = environment("annotate")
    numbers = ledger.numbers()
    about = {"format": 1, "clusters": clusters, "taxonomy": taxonomy.sha256}
    common = {
        # The browser keeps what belongs to these clusters apart from what belongs to others.
        "export": hashlib.sha256(json.dumps([about, ledger.model, numbers]).encode()).hexdigest()[:12],
        "about": json.dumps(about),
        "numbers": numbers,
        "style": Markup(style),  # noqa: S704 - a file of this package
    }
    shown = {
        "groups": groups(taxonomy, ledger.concepts()),
        "subtypes": ledger.subtypes(),
        "said": EMPTY,
        **_with_policy(style, scripts),
    }
    for done, number in enumerate(numbers):
        cluster = ledger.cluster(number)
        if cluster is not None:
            images = _images(cluster, dataset)
            page = templates.get_template("annotate/offline_cluster.html")
            text = page.render(**common, **shown, cluster=cluster, thumbnails=images)
            files.write(f"cluster-{number}.html", text.encode())
        if progress is not None:
            progress(done + 1, len(numbers))
    index = templates.get_template("annotate/offline_index.html")
    files.write("index.html", index.render(**common, **_with_policy(style, scripts[1:])).encode())


def _with_policy(style: str, scripts: list[str]) -> dict[str, object]:
    """The scripts, as they stand in a page, and the policy that permits them and the style."""
    shown = [Markup(script) for script in scripts]  # noqa: S704 - files of this package
    return {"policy": policy(style, scripts), "scripts": shown}


def _images(cluster: Cluster, dataset: Dataset) -> dict[str, str]:
    """Each sample's image as a `data:` address."""
    found = {}
    for sample in (sample for section in SECTIONS for sample in cluster.samples[section]):
        try:
            found[sample.image_id] = inlined(small(dataset.image(sample.image_id), SIDE))
        except (KeyError, ValueError):
            found[sample.image_id] = NOTHING
    return found
