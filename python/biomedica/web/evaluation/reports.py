"""The reports of an evaluation, written beside it."""

from typing import TYPE_CHECKING

from biomedica.evaluation.formats import markdown_report
from biomedica.web.evaluation.page import evaluation_page

if TYPE_CHECKING:
    from biomedica._storage import Storage
    from biomedica.evaluation.record import Evaluation

__all__ = ["MARKDOWN", "PAGE", "write_reports"]

PAGE, MARKDOWN = "report.html", "report.md"


def write_reports(evaluation: "Evaluation", files: "Storage") -> list[str]:
    """Write `report.html` and `report.md` into an evaluation's directory, in the place of those that may be there.

    They are made of what the directory has, so that they can be made again at any time.

    Args:
        evaluation: What `evaluation.json` says.
        files: Where it lies.

    Returns:
        Their names.

    Raises:
        DatasetError: They cannot be written.
    """
    files.write(PAGE, evaluation_page(evaluation, files).encode())
    files.write(MARKDOWN, markdown_report(evaluation).encode())
    return [PAGE, MARKDOWN]
