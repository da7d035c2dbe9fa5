"""`push`: a folder, such as what `export` wrote, to the Hugging Face hub."""

import os
from dataclasses import dataclass
from pathlib import Path

from biomedica._hub import client
from biomedica._sources import StrPath
from biomedica.exceptions import DatasetError, SourceNotFoundError

__all__ = ["Pushed", "push"]

HIDDEN = [".*", "**/.*"]
"""Locks and what is not finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What the hub has now."""

    url: str
    """Of the dataset's page."""
    commit: str
    """The commit; the one that was there when all files were on the hub already."""
    files: int
    num_bytes: int


def push(
    folder: StrPath,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str = "Add image-caption pairs",
) -> Pushed:
    """Upload a folder to a dataset on the Hugging Face hub, which is made when it is not there.

    Files of the same name are replaced, others stay. Hidden files stay here. When it breaks off, the same call goes on:
    what the hub has already is not sent again. The token is that of the environment (`HF_TOKEN`) or of `hf auth login`; the hub
    is the one at `HF_ENDPOINT`. Whoever publishes images owes their authors a name: `export` puts `attribution/` beside
    them.

    Args:
        folder: What `export` wrote, or any other folder.
        repo_id: `name/dataset`.
        private: Of a dataset that is made: whether only its owners see it.
        revision: The branch, which must be there; `main` when not given.
        message: Of the commit.

    Returns:
        Where it is.

    Raises:
        ValueError: `repo_id` is no name of a dataset.
        SourceNotFoundError: There is no such folder.
        DatasetError: The folder holds no file, or the hub refuses or cannot be reached.
        ModuleNotFoundError: `huggingface_hub` is missing: `pip install 'biomedica[hub]'`.

    Example:
        >>> import biomedica as bm
        >>> bm.push("hub/", "lab/figures", private=True).url  # doctest: +SKIP
        'https://huggingface.co/datasets/lab/figures'
    """
    root = Path(folder)
    if not root.is_dir():
        raise SourceNotFoundError(f"{os.fspath(folder)}: there is no such folder")
    files = [path for path in root.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(root))]
    if not files:
        raise DatasetError(f"{os.fspath(folder)}: no file to upload")
    if repo_id.count("/") != 1 or not all(repo_id.split("/")):
        raise ValueError(f"a dataset of the hub is called NAME/DATASET, not {repo_id!r}")
    hub, api = client()
    url = f"{api.endpoint.rstrip('/')}/datasets/{repo_id}"
    try:
        api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=root,
            repo_type="dataset",
            revision=revision,
            commit_message=message,
            ignore_patterns=HIDDEN,
        )
    except hub.errors.HfHubHTTPError as error:
        raise DatasetError(f"{url}: {_why(error)}") from error
    except hub.errors.OfflineModeIsEnabled as error:
        raise DatasetError(f"{url}: the hub is switched off by HF_HUB_OFFLINE") from error
    except hub.errors.HFValidationError as error:
        raise ValueError(f"{repo_id}: no name of a dataset: {error}") from error
    except Exception as error:
        # The client of its version has errors of its own for servers that are gone.
        line = " ".join(f"{error} {error.__cause__ or ''}".split())[:300]
        raise DatasetError(f"{url}: not uploaded, the same call goes on: {line or type(error).__name__}") from error
    num_bytes = sum(path.stat().st_size for path in files)
    return Pushed(url=url, commit=commit.oid, files=len(files), num_bytes=num_bytes)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _why(error: Exception) -> str:
    response = getattr(error, "response", None)
    status = 0 if response is None else response.status_code
    if status in {401, 403}:
        return "access denied; set HF_TOKEN to a token that may write, or run `hf auth login`"
    if status == 404:  # noqa: PLR2004
        return "no such dataset or revision, or one that this token may not see"
    return f"the hub answered {status}: {' '.join(str(error).split())[:200]}"
