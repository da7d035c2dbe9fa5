"""A stand-in of the Hugging Face hub on loopback: revisions and listings, and uploads as git and LFS have them."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from loopback import Loopback

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = ["README.md", "train/000.tar", "train/001.tar", "train/deep/002.tar", "validation/000.tar"]


class Hub(Loopback):
    """One dataset, `lab/figures`: these files for readers, and what was uploaded for writers.

    Attributes:
        asked: Each request's path and authorization.
        busy: So many requests are answered with 429 first.
        status: What all others are answered with, unless it is 200.
        stored: Uploaded objects by their sha-256.
        uploads: Bytes of each object in the order in which they were sent.
        committed: What the commits have put in their places.
        created: What was said of the dataset when it was made.
        broken: So many uploads of objects fail.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.busy = 0
        self.status = 200
        self.stored: dict[str, bytes] = {}
        self.uploads: list[int] = []
        self.committed: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []
        self.broken = 0
        super().__init__(Handler)

    @property
    def endpoint(self) -> str:
        return self.url


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.asked_path()
        if self.refused():
            return
        if path in {"/api/datasets/lab/figures", "/api/datasets/lab/figures/revision/v2"}:
            self.reply(200, {"_id": "1", "id": "lab/figures", "sha": COMMIT, "private": False, "tags": []}, {})
        elif path in {f"/api/datasets/lab/figures/tree/{COMMIT}", f"/api/datasets/lab/figures/revision/{COMMIT}"}:
            siblings = [{"rfilename": name} for name in FILES]
            info = {"_id": "1", "id": "lab/figures", "sha": COMMIT, "private": False, "tags": [], "siblings": siblings}
            tree = [{"type": "file", "path": name, "oid": "1", "size": 1} for name in FILES]
            self.reply(200, tree if "/tree/" in path else info, {})
        else:
            self.reply(404, {"error": "no"}, {"X-Error-Code": "RepoNotFound"})

    def do_POST(self) -> None:
        hub, path = self.hub, self.asked_path()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.refused():
            return
        if path == "/api/repos/create":
            hub.created.append(json.loads(body))
            self.reply(200, {"url": f"{hub.url}/datasets/lab/figures", "name": "lab/figures"}, {})
        elif path == "/api/validate-yaml":
            self.reply(200, {"errors": [], "warnings": []}, {})
        elif path == "/api/datasets/lab/figures/preupload/main":
            # The hub decides by content; here all but small texts are large files.
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": name, "uploadMode": "regular" if name.endswith(".md") else "lfs"} for name in names]
            self.reply(200, {"files": [{**mode, "shouldIgnore": False, "oid": None} for mode in modes]}, {})
        elif path == "/datasets/lab/figures.git/info/lfs/objects/batch":
            self.reply(
                200, {"transfer": "basic", "objects": [self.action(one) for one in json.loads(body)["objects"]]}, {}
            )
        elif path == "/api/datasets/lab/figures/commit/main":
            self.commit([json.loads(line) for line in body.splitlines()])
        else:
            self.reply(404, {"error": "no"}, {"X-Error-Code": "RevisionNotFound"})

    def do_PUT(self) -> None:
        self.asked_path()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.hub.broken:
            self.hub.broken -= 1
            self.reply(403, {"error": "no"}, {})
            return
        self.hub.stored[hashlib.sha256(body).hexdigest()] = body
        self.hub.uploads.append(len(body))
        self.reply(200, {}, {})

    def action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Where an object is to be sent; nowhere when it is there."""
        known = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] in self.hub.stored:
            return known
        return {**known, "actions": {"upload": {"href": f"{self.hub.url}/objects/{wanted['oid']}"}}}

    def commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.hub.committed[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.hub.committed[value["path"]] = self.hub.stored[value["oid"]]
        url = f"{self.hub.url}/datasets/lab/figures/commit/{COMMIT}"
        self.reply(200, {"success": True, "commitOid": COMMIT, "commitUrl": url, "hookOutput": ""}, {})

    @property
    def hub(self) -> Hub:
        assert isinstance(self.server, Hub)
        return self.server

    def asked_path(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((path, self.headers.get("Authorization")))
        return path

    def refused(self) -> bool:
        if self.hub.busy:
            self.hub.busy -= 1
            self.reply(429, {}, {"Retry-After": "1"})
        elif self.hub.status != 200:
            self.reply(self.hub.status, {"error": "no"}, {})
        else:
            return False
        return True

    def reply(self, status: int, body: object, headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
