"""E-utilities on loopback: efetch of made-up records, with the faults that NCBI's own server has."""

import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from loopback import Loopback

Fault = Callable[["EntrezHandler", list[int], int], bool]
"""Answers in the server's place when it returns true; gets the PMIDs and the request's number from 0."""


def record(pmid: int) -> str:
    """The record of a PMID: every second has an abstract, every third references, every fifth no MeSH terms."""
    mesh = (
        ""
        if pmid % 5 == 0
        else (
            '<MeshHeadingList><MeshHeading><DescriptorName UI="D006801" MajorTopicYN="N">Humans</DescriptorName></MeshHeading>'
            '<MeshHeading><DescriptorName UI="D006333" MajorTopicYN="N">Heart Failure</DescriptorName>'
            '<QualifierName UI="Q000188" MajorTopicYN="Y">drug therapy</QualifierName></MeshHeading></MeshHeadingList>'
        )
    )
    abstract = (
        f'<Abstract><AbstractText Label="AIM">Abstract of {pmid}.</AbstractText></Abstract>' if pmid % 2 == 0 else ""
    )
    references = (
        ""
        if pmid % 3
        else (
            f"<ReferenceList><Reference><Citation>Of {pmid}.</Citation><ArticleIdList>"
            f'<ArticleId IdType="pubmed">{pmid + 1}</ArticleId></ArticleIdList></Reference></ReferenceList>'
        )
    )
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>{abstract}</Article>{mesh}'
        f"</MedlineCitation><PubmedData>{references}</PubmedData></PubmedArticle>"
    )


def answer(pmids: list[int]) -> bytes:
    """What efetch sends: a PMID that ends in 99 is not there, one that ends in 98 was withdrawn."""
    records = "".join(record(pmid) for pmid in pmids if pmid % 100 < 98)
    deleted = "".join(f"<PMID>{pmid}</PMID>" for pmid in pmids if pmid % 100 == 98)
    deleted = f"<DeleteCitation>{deleted}</DeleteCitation>" if deleted else ""
    return (
        '<?xml version="1.0" ?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
        f'"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd"><PubmedArticleSet>{records}{deleted}</PubmedArticleSet>'
    ).encode()


class EntrezServer(Loopback):
    """Keeps what was asked and when; `fault` may answer first."""

    def __init__(self) -> None:
        self.fault: Fault = lambda *_: False
        self.arrivals: list[float] = []
        self.asked: list[list[int]] = []
        self.forms: list[dict[str, str]] = []
        self.lock = threading.Lock()
        super().__init__(EntrezHandler)

    @property
    def url(self) -> str:
        return f"{super().url}/entrez/eutils"

    def most_in_a_second(self) -> int:
        """The largest number of requests that arrived within one second."""
        times = sorted(self.arrivals)
        return max(sum(first <= time < first + 1 for time in times) for first in times)


class EntrezHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, EntrezServer)
        arrival = time.monotonic()
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        pmids = [int(pmid) for pmid in form["id"].split(",")]
        with server.lock:
            number = len(server.asked)
            server.arrivals.append(arrival)
            server.asked.append(pmids)
            server.forms.append(form)
        if self.path != "/entrez/eutils/efetch.fcgi":
            self.answer(404, b"not here")
        elif not server.fault(self, pmids, number):
            self.answer(200, answer(pmids))

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, *, promised: int = 0) -> None:
        """Send an answer; with `promised`, as if it were so much longer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) + promised), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
