"""Datasets on the Hugging Face hub: its client lists a repository and knows the token, the core reads the files.

A revision is pinned to its commit when it is looked up, so that a push in the middle of a run changes nothing.
"""

import os
import re
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from biomedica.exceptions import SourceError, SourceNotFoundError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = ["Hub", "client"]

_URL = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.*))?")
_MAGIC = re.compile(r"[*?[]")
ALL_TARS = "**/*.tar"
PATIENCE = 120.0
"""Seconds for which the hub is asked again while it says "later"."""

T = TypeVar("T")


def client() -> tuple[ModuleType, "HfApi"]:
    """The hub's package, and its client for the hub at `HF_ENDPOINT`.

    Raises:
        ModuleNotFoundError: The package is not there.
    """
    try:
        import huggingface_hub
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the Hugging Face hub needs the package huggingface_hub: pip install 'biomedica[hub]'",
            name="huggingface_hub",
        ) from None
    return huggingface_hub, huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)


class Hub:
    """The hub at `HF_ENDPOINT`; each repository is listed once."""

    def __init__(self) -> None:
        self._hub, self._api = client()
        self._commits: dict[tuple[str, str | None], str] = {}
        self._files: dict[tuple[str, str], list[str]] = {}

    @property
    def endpoint(self) -> str:
        """The beginning of the URLs that may see the token."""
        return self._api.endpoint.rstrip("/") + "/"

    def headers(self) -> dict[str, str]:
        """The token, when one is configured (`HF_TOKEN`, `hf auth login`)."""
        token = self._hub.get_token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def find(self, url: str) -> list[str]:
        """The URLs of the files that `url` names, sorted if it is a glob."""
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError(f"{url}: write hf://datasets/org/name[@revision]/path-or-glob")
        repo, path = match["repo"], match["path"] or ALL_TARS
        key = (repo, match["revision"])
        if key not in self._commits:
            self._commits[key] = self._ask(url, lambda: self._api.dataset_info(repo, revision=key[1]).sha) or "main"
        commit = self._commits[key]
        names = [path] if _MAGIC.search(path) is None else self._match(url, repo, commit, path)
        return [
            self._hub.hf_hub_url(repo, name, repo_type="dataset", revision=commit, endpoint=self._api.endpoint)
            for name in names
        ]

    def _match(self, url: str, repo: str, commit: str, pattern: str) -> list[str]:
        if (repo, commit) not in self._files:
            listing = self._ask(url, lambda: self._api.list_repo_files(repo, revision=commit, repo_type="dataset"))
            self._files[repo, commit] = sorted(listing)
        parts = pattern.split("/")
        names = [name for name in self._files[repo, commit] if _matches(name.split("/"), parts)]
        if not names:
            raise SourceNotFoundError(f"{url}: no file matches")
        return names

    def _ask(self, url: str, ask: Callable[[], T]) -> T:
        from huggingface_hub import errors

        deadline, pause = time.monotonic() + PATIENCE, 1.0
        while True:
            try:
                return ask()
            except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
                raise SourceNotFoundError(
                    f"{url}: no such dataset or revision, or a private one (HF_TOKEN or `hf auth login` gives access)"
                ) from error
            except errors.HfHubHTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status in {401, 403}:
                    raise SourceError(f"{url}: access denied; set HF_TOKEN or run `hf auth login`") from error
                asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
                wait = float(asked) if asked.isdecimal() else pause
                if not (status == 429 or status >= 500) or time.monotonic() + wait > deadline:  # noqa: PLR2004
                    raise SourceError(f"{url}: the hub answered {status}") from error
            except errors.OfflineModeIsEnabled as error:
                raise SourceError(f"{url}: the hub is switched off by HF_HUB_OFFLINE") from error
            except Exception as error:
                # Offline, by setting or by fact: once more each second does no good for long.
                if isinstance(error, ValueError | TypeError) or pause > 4:  # noqa: PLR2004
                    raise SourceError(f"{url}: the hub cannot be reached: {_line(error)}") from error
                wait = pause
            pause = min(pause * 2, 8.0)
            time.sleep(wait)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
