"""A bucket in the layout of the public one, served from memory as S3 serves it: as fast as one process of Python can.

`python bucket_server.py ARTICLES [MILLISECONDS]` prints its port and its bytes, and answers each request after that time:
a real bucket takes some tens. Each article has its metadata, its document and four images.
"""

import asyncio
import hashlib
import json
import random
import re
import sys
from typing import cast

BUCKET = "pmc-oa-opendata"
IMAGES = 4
PIXELS = b"GIF89a" + (500).to_bytes(2, "little") * 2


def objects(articles: int) -> dict[str, bytes]:
    """Every object of the bucket by its key."""
    draw = random.Random(1)  # noqa: S311 - bytes to be served
    bodies = [PIXELS + draw.randbytes(draw.randrange(40_000, 240_000)) for _ in range(64)]
    found = {}
    for number in range(1, articles + 1):
        name = f"PMC{number}.1"
        figures = "".join(
            f"<fig id='f{image}'><caption><p>Figure {image}.</p></caption><graphic href='f{image}.gif'/></fig>"
            for image in range(IMAGES)
        )
        text = "<p>Words of an article, as many as a short one has.</p>" * 400
        found[f"{name}/{name}.xml"] = f"<article><body>{text}{figures}</body></article>".encode()
        for image in range(IMAGES):
            found[f"{name}/f{image}.gif"] = bodies[(number * IMAGES + image) % len(bodies)]

        def url(key: str) -> str:
            return f"s3://{BUCKET}/{key}?md5={hashlib.md5(found[key], usedforsecurity=False).hexdigest()}"

        metadata = {
            "pmcid": f"PMC{number}",
            "version": 1,
            "license_code": "CC BY",
            "xml_url": url(f"{name}/{name}.xml"),
            "media_urls": [url(f"{name}/f{image}.gif") for image in range(IMAGES)],
        }
        found[f"metadata/{name}.json"] = json.dumps(metadata).encode()
    return found


class Connection(asyncio.Protocol):
    """Answers one request after another."""

    def __init__(self, served: dict[str, bytes], seconds: float) -> None:
        self.served = served
        self.seconds = seconds
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            request, self.waiting = self.waiting.split(b"\r\n\r\n", 1)
            key = request.split(b" ", 2)[1].decode().removeprefix(f"/{BUCKET}/")
            body = self.served.get(key)
            status, extra, sent = b"200 OK" if body is not None else b"404 Not Found", b"", body or b""
            span = re.search(rb"(?i)\r\nrange: *bytes=(\d+)-(\d*)", request)
            if body and span:
                begin, end = int(span[1]), min(int(span[2] or len(body)) + 1, len(body))
                sent, status = body[begin:end], b"206 Partial Content"
                extra = b"Content-Range: bytes %d-%d/%d\r\n" % (begin, end - 1, len(body))
            head = (
                b'HTTP/1.1 %s\r\nContent-Length: %d\r\nETag: "1"\r\n%s'
                b"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n"
            )
            answer = (head % (status, len(sent), extra), sent)
            asyncio.get_running_loop().call_later(self.seconds, self.transport.writelines, answer)


async def serve(articles: int, milliseconds: float) -> None:
    """Serve until the process is ended."""
    served = objects(articles)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(served, milliseconds / 1000), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], sum(map(len, served.values())), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float((*sys.argv[2:], "0")[0])))
