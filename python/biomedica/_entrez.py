"""NCBI's E-utilities: PubMed's records by efetch, within the permitted rate, asked for again while that may help."""

import email.utils
import http.client
import itertools
import queue
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from biomedica import _core
from biomedica.exceptions import SourceError, XmlError

if TYPE_CHECKING:
    from email.message import Message

__all__ = ["BASE_URL", "BATCH", "Entrez"]

BASE_URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
BATCH = 200
"""PMIDs a request: NCBI asks for no more."""
RATE, RATE_WITH_KEY = 3, 10
"""Requests a second that NCBI permits."""
MAX_BYTES = 64 << 20
"""The largest answer; 200 records have a few megabytes."""
CHUNK = 1 << 16
MAX_UNREADABLE = 32
"""So many answers one after the other that cannot be read are the server's fault, not that of a record: a broken one
among 200 is found with ten."""
PAUSES = (1.0, 30.0)
"""Seconds to wait before a request is repeated: the first time, and at most."""
_PMID = re.compile("[0-9]{1,10}")
EXCERPT, HEAD = 200, 1000
"""Bytes of an error's text that are shown, and in which words are looked for."""


class _Later(Exception):  # noqa: N818 - no error yet
    """The server cannot answer now; it may have said for how many seconds."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class _Stopped(Exception):  # noqa: N818 - no error
    """Nobody waits for the answer any more."""


class _Answer(NamedTuple):
    """What was read of an answer, and why nothing could be read after that."""

    records: pa.RecordBatch
    fault: XmlError | None


class Entrez:
    """Asks for PubMed's records, several requests at a time.

    There are as many slots as requests are permitted in a second. A request takes one, which is free again a second after
    the answer began to come: so no second has more of them, whatever the network does to their arrival.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        email: str | None,
        requests_per_second: int | None,
        timeout: float,
        retry_timeout: float,
    ) -> None:
        if urllib.parse.urlsplit(base_url).scheme not in {"http", "https"}:
            raise ValueError(f"base_url {base_url!r}: write an http:// or https:// URL such as {BASE_URL}")
        rate = requests_per_second if requests_per_second is not None else (RATE_WITH_KEY if api_key else RATE)
        if rate < 1:
            raise ValueError("requests_per_second must be at least 1")
        if timeout <= 0 or retry_timeout < 0:
            raise ValueError("timeout must be above zero, and retry_timeout not below")
        self._url = f"{base_url.rstrip('/')}/efetch.fcgi"
        self._parameters = {"db": "pubmed", "retmode": "xml", "tool": "biomedica"}
        self._parameters |= {name: value for name, value in (("email", email), ("api_key", api_key)) if value}
        self._rate, self._timeout, self._retry_timeout = rate, timeout, retry_timeout
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._api_key = api_key
        self._lock = threading.Lock()
        self._resume_at = 0.0
        # When each slot is free.
        self._slots: queue.PriorityQueue[float] = queue.PriorityQueue()
        for _ in range(rate):
            self._slots.put(0.0)
        self.requests = 0
        """Requests that were sent."""

    def records(self, batches: Iterator[Sequence[int]]) -> Iterator[pa.Table]:
        """What came of each batch of PMIDs, in the order of the answers: one row a PMID, sorted.

        Raises:
            SourceError: The server does not answer, or not with what can be read, for longer than `retry_timeout`; or
                it refuses the request.
        """
        jobs: queue.SimpleQueue[Sequence[int] | None] = queue.SimpleQueue()
        done: queue.SimpleQueue[pa.Table | Exception] = queue.SimpleQueue()
        stop = threading.Event()
        for _ in range(self._rate):
            # Daemons: Ctrl-C need not wait for an answer. They touch nothing but the two queues.
            threading.Thread(target=self._work, args=(jobs, done, stop), daemon=True).start()
        waiting = 0
        try:
            for batch in itertools.islice(batches, self._rate):
                jobs.put(batch)
                waiting += 1
            while waiting:
                try:
                    result = done.get(timeout=0.1)
                except queue.Empty:
                    continue
                waiting -= 1
                if isinstance(result, Exception):
                    raise result
                yield result
                if (next_batch := next(batches, None)) is not None:
                    jobs.put(next_batch)
                    waiting += 1
        finally:
            stop.set()
            for _ in range(self._rate):
                jobs.put(None)

    def _work(
        self,
        jobs: "queue.SimpleQueue[Sequence[int] | None]",
        done: "queue.SimpleQueue[pa.Table | Exception]",
        stop: threading.Event,
    ) -> None:
        while (pmids := jobs.get()) is not None and not stop.is_set():
            try:
                done.put(self._batch(pmids, stop))
            except _Stopped:
                return
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                done.put(error)

    def _batch(self, pmids: Sequence[int], stop: threading.Event) -> pa.Table:
        """One row for each of the PMIDs; where an answer breaks off, what is left is asked for in smaller batches."""
        rows = _Rows()
        todo, again, unreadable = [list(pmids)], set[int](), 0
        while todo:
            asked = todo.pop()
            answer = self._answer(asked, stop)
            found = rows.take(answer.records, asked)
            rest = [pmid for pmid in asked if pmid not in found]
            unreadable = 0 if found or answer.fault is None else unreadable + 1
            if unreadable > MAX_UNREADABLE:
                raise SourceError(f"{self._url}: {unreadable} answers in a row cannot be read: {answer.fault}")
            if answer.fault is None:
                rows.add(rest, "missing")
            elif found:
                todo += [rest] if rest else []
            elif len(asked) > 1:
                half = len(asked) // 2
                todo += [asked[half:], asked[:half]]
            elif asked[0] not in again:
                again.add(asked[0])
                todo.append(asked)
            else:
                rows.add(asked, "failed", str(answer.fault))
        return rows.table()

    def _answer(self, pmids: Sequence[int], stop: threading.Event) -> _Answer:
        """One answer that concerns these PMIDs, asked for again while the server cannot give one."""
        first, _ = PAUSES
        pause, deadline = first, None
        while True:
            try:
                return self._ask(pmids, stop)
            except _Later as error:
                now = time.monotonic()
                deadline = deadline or now + self._retry_timeout
                wait = pause if error.seconds is None else error.seconds
                if now + wait > deadline:
                    asks = "" if error.seconds is None else f" (it asks to wait {error.seconds:,.0f} s)"
                    raise SourceError(f"{self._url}: {error}{asks}; the same call goes on where it stopped") from error
                _wait(now + wait, stop)
                pause = min(2 * pause, PAUSES[1])

    def _ask(self, pmids: Sequence[int], stop: threading.Event) -> _Answer:
        """One request.

        Raises:
            _Later: It may succeed when it is repeated.
            SourceError: It will not, nor will any other.
        """
        data = urllib.parse.urlencode({**self._parameters, "id": ",".join(map(str, pmids))}).encode()
        request = urllib.request.Request(self._url, data, {"User-Agent": "biomedica"})  # noqa: S310 - http(s), checked
        self._take_slot(stop)
        used_at = None
        deadline = time.monotonic() + self._timeout
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                used_at = time.monotonic()
                body = _read(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error)
        except (OSError, http.client.HTTPException) as error:
            raise _Later(f"no answer: {error or type(error).__name__}") from error
        finally:
            self._slots.put((used_at or time.monotonic()) + 1.0)
        if body is None:
            return _unreadable(f"the answer is larger than {MAX_BYTES:,} bytes")
        return self._read_body(body)

    def _take_slot(self, stop: threading.Event) -> None:
        """Wait until a request may be sent. There are no more threads than slots, so that none waits for another."""
        free_at = self._slots.get()
        while (resume_at := max(free_at, self._resume_at)) > time.monotonic():
            _wait(resume_at, stop)
        with self._lock:
            self.requests += 1

    def _read_body(self, body: bytes) -> _Answer:
        records, fault = _core.parse_entrez(body)
        if fault is None or fault.reason not in {"unsupported_format", "empty"}:
            return _Answer(records, fault)
        if b"<eFetchResult" in body[:HEAD]:
            return _Answer(records, fault)  # efetch's own word on these PMIDs
        if b"rate limit" in body[:HEAD].lower():
            self._pause(PAUSES[0])
        raise _Later(self._without_key(f"the answer is not PubMed's: {fault}"))

    def _refused(self, error: urllib.error.HTTPError) -> _Answer:
        """What an answer with an error's status means."""
        text = self._without_key(_text(error))[:EXCERPT]
        why = f"the server answered {error.code}: {text or error.reason}"
        seconds = _retry_after(error.headers)
        match error.code:
            case 429:
                self._pause(PAUSES[0] if seconds is None else seconds)
                raise _Later(why, seconds)
            case 400 if "rate limit" in text.lower():
                self._pause(PAUSES[0])
                raise _Later(why, seconds)
            case 400 if "api key" in text.lower() or "api-key" in text.lower():
                raise SourceError(f"{self._url}: {why}; look at NCBI_API_KEY or api_key")
            case 400 | 413 | 414:
                return _unreadable(why)
            case 408 | 425:
                raise _Later(why, seconds)
            case code if code >= 500:  # noqa: PLR2004 - the server's own errors
                raise _Later(why, seconds)
        raise SourceError(f"{self._url}: {why}; is base_url right?")

    def _pause(self, seconds: float) -> None:
        """Keep all slots from asking for some seconds."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def _without_key(self, text: str) -> str:
        """The text of an answer without the key, which NCBI repeats in its errors."""
        return text.replace(self._api_key, "(key)") if self._api_key else text


class _Rows:
    """What came of a batch, gathered from one answer or several."""

    def __init__(self) -> None:
        self._found: list[pa.RecordBatch] = []
        self._told: list[dict[str, str | None]] = []
        self._schema: pa.Schema | None = None

    def take(self, records: pa.RecordBatch, asked: Sequence[int]) -> set[int]:
        """Take the records that were asked for, each once; say which these are."""
        wanted, found, keep = set(asked), set[int](), []
        for text in records.column("article_pmid").to_pylist():
            pmid = int(text) if _PMID.fullmatch(text) else -1
            keep.append(pmid in wanted and pmid not in found)
            found |= {pmid} & wanted
        self._schema = records.schema
        self._found.append(records.filter(pa.array(keep, pa.bool_())))
        return found

    def add(self, pmids: Sequence[int], status: str, detail: str | None = None) -> None:
        """Note what came of PMIDs without a record."""
        self._told += [{"article_pmid": str(pmid), "status": status, "detail": detail} for pmid in pmids]

    def table(self) -> pa.Table:
        """All rows by PMID."""
        found = pa.Table.from_batches(self._found, self._schema)
        whole = pa.concat_tables([found, pa.Table.from_pylist(self._told, found.schema)])
        order = sorted(range(whole.num_rows), key=[int(pmid) for pmid in whole["article_pmid"].to_pylist()].__getitem__)
        return whole.take(order)


def _wait(until: float, stop: threading.Event) -> None:
    """Wait for that time of the monotonic clock; raises when nobody waits for the answer any more."""
    if stop.wait(max(0.0, until - time.monotonic())):
        raise _Stopped


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the request that follows it would have lost its PMIDs, or gone elsewhere with the key."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes | None:
    """The body, as far as it came; none when it is too large.

    A body that is shorter than was promised is no error here: what is whole of it is kept.
    """
    body = bytearray()
    while chunk := response.read1(CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            return None
        if time.monotonic() > deadline:
            raise TimeoutError("the answer takes too long")
    return bytes(body)


def _unreadable(why: str) -> _Answer:
    records, _ = _core.parse_entrez(b"<PubmedArticleSet/>")
    return _Answer(records, XmlError(why))


def _text(error: urllib.error.HTTPError) -> str:
    try:
        return " ".join(error.read(HEAD).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException):
        return ""


def _retry_after(headers: "Message") -> float | None:
    """The seconds that `Retry-After` names, by number or by date."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
        return max(0.0, date.timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
