"""The case `bucket`: articles of a bucket read, beside plain requests for the same objects by obstore."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.store import S3Store

import biomedica
from biomedica.benchmarks.bucket_server import BUCKET, IMAGES
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Measured, beside, interleaved, timed

ARTICLES = 1000
AT_ONCE = 64
"""Requests of obstore; more are no faster."""
DELAYS = {30: ">= 0.9", 0: ""}
"""Milliseconds that the server takes to answer, as S3 does and as nothing does, with the goals."""


def bucket(_: Corpus, rounds: int) -> Measured:
    """Documents, metadata and images of a bucket: listed, fetched, checked by MD5, hashed and parsed."""
    rows = []
    raw: dict[str, list[float]] = {}
    for delay, goal in DELAYS.items():
        with served(delay) as (endpoint, num_bytes):
            measured = interleaved(
                [timed("biomedica", lambda: ours(endpoint)), timed("gets", lambda: gets(endpoint))], rounds
            )
        case, peer = f"bucket to Arrow, 2 threads, {delay} ms a request", "obstore: plain requests"
        rows.append(beside(measured, case, peer, num_bytes / 1e6, "MB/s", theirs="gets", goal=goal))
        raw |= {f"{name}, {delay} ms": values for name, values in measured.items()}
    return rows, raw


@contextlib.contextmanager
def served(milliseconds: int) -> Iterator[tuple[str, int]]:
    """A server of the bucket, in a process of its own; its endpoint, and the bytes of all objects."""
    program = Path(__file__).with_name("bucket_server.py")
    server = subprocess.Popen(
        [sys.executable, program, str(ARTICLES), str(milliseconds)], stdout=subprocess.PIPE, text=True
    )
    try:
        port, num_bytes = server.stdout.readline().split() if server.stdout else ("", "0")
        yield f"http://127.0.0.1:{port}", int(num_bytes)
    finally:
        server.terminate()
        server.communicate()


def ours(endpoint: str) -> None:
    """Read all articles to Arrow."""
    options = {"aws_endpoint": endpoint, "aws_allow_http": "true"}
    sources = [f"s3://{BUCKET}/PMC{number}.1" for number in range(1, ARTICLES + 1)]
    figures = sum(chunk.figures.num_rows for chunk in biomedica.read(sources, threads=2, storage_options=options))
    if figures != ARTICLES * IMAGES:
        raise RuntimeError(f"{figures:,} figures of {ARTICLES * IMAGES:,}")


def gets(endpoint: str) -> None:
    """Ask for all objects and do nothing with them."""
    store = S3Store(
        BUCKET, endpoint=endpoint, skip_signature=True, region="us-east-1", client_options={"allow_http": True}
    )
    names = [f"PMC{number}.1" for number in range(1, ARTICLES + 1)]
    keys = [
        key
        for name in names
        for key in (f"metadata/{name}.json", f"{name}/{name}.xml", *(f"{name}/f{n}.gif" for n in range(IMAGES)))
    ]

    async def worker(waiting: Iterator[str]) -> None:
        for key in waiting:
            await (await obstore.get_async(store, key)).bytes_async()

    async def all_of_them() -> None:
        waiting = iter(keys)
        await asyncio.gather(*(worker(waiting) for _ in range(AT_ONCE)))

    asyncio.run(all_of_them())
