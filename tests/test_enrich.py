"""`enrich`: PubMed's records beside a dataset, from a server on loopback that answers as E-utilities do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads
import pytest

import biomedica as bm
from biomedica import _enrich
from biomedica.exceptions import DatasetError, SourceError
from bucket import Bucket
from entrez_server import EntrezHandler, EntrezServer, Fault, answer

FAST = 50
"""Requests a second where the rate is not what is tested."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EntrezServer]:
    for name in ("NCBI_API_KEY", "NCBI_EMAIL", "NCBI_EUTILS_URL", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = EntrezServer()
    yield server
    server.close()


def always(act: Callable[[EntrezHandler], object]) -> Fault:
    """The fault that does the same whatever is asked."""
    return lambda handler, *_: (act(handler), True)[1]


def at_first(act: Callable[[EntrezHandler], object]) -> Fault:
    """The fault of the first request alone."""
    return lambda handler, _, number: number == 0 and (act(handler), True)[1]


def document(number: int, pmid: str | None, *, full: bool = False) -> str:
    """Article `PMC<number>`; with `full`, one that has an abstract and a reference of its own."""
    pmid_xml = "" if pmid is None else f'<article-id pub-id-type="pmid">{pmid}</article-id>'
    abstract = "<abstract><p>Its own.</p></abstract>" if full else ""
    back = (
        "<back><ref-list><ref id='r1'><mixed-citation>Its own.</mixed-citation></ref></ref-list></back>" if full else ""
    )
    return (
        f'<article><front><article-meta><article-id pub-id-type="pmc">{number}</article-id>{pmid_xml}{abstract}'
        f"</article-meta></front><body><p>Text.</p></body>{back}</article>"
    )


def make(directory: Path, pmids: list[int], *, part_size: int = 4096, full: bool = False) -> bm.Dataset:
    """A dataset with an article for each of the PMIDs, `PMC<PMID>`."""
    (directory / "in").mkdir(parents=True, exist_ok=True)
    for pmid in pmids:
        (directory / f"in/PMC{pmid:07}.nxml").write_text(document(pmid, str(pmid), full=full))
    return bm.extract(directory / "in", directory / "out", part_size=part_size, threads=2)


def enrich(dataset: bm.Dataset, server: EntrezServer, **options: Any) -> bm.Dataset:
    options = {"requests_per_second": FAST, **options}
    return bm.enrich(dataset, base_url=server.url, **options)


def rows(table: pads.Dataset) -> dict[str, dict[str, Any]]:
    return {row["article_pmid"]: row for row in table.to_table().to_pylist()}


def test_articles_have_what_pubmed_knows(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [5, 6, 7, 99, 198])
    before = dataset.articles().schema
    assert rows(dataset.articles())["6"]["article_mesh_terms"] is None
    articles = enrich(dataset, server).articles()
    assert articles.schema.equals(before)
    found = rows(articles)
    assert found["6"]["article_mesh_terms"] == ["Humans", "Heart Failure/drug therapy*"]
    assert found["6"]["article_abstract"] == "AIM: Abstract of 6."
    reference = {"id": None, "pmid": "7", "doi": None, "citation": "Of 6."}
    assert found["6"]["article_reference_list"] == [reference]
    assert (found["6"]["article_reference_count"], found["6"]["article_reference_ids"]) == (1, ["7"])
    assert found["6"]["article_text"] == "Text."
    assert (found["5"]["article_mesh_terms"], found["5"]["article_abstract"]) == ([], None)
    assert (found["7"]["article_reference_list"], found["7"]["article_reference_count"]) == ([], 0)
    assert found["99"]["article_mesh_terms"] is found["198"]["article_mesh_terms"] is None
    statuses = {pmid: row["status"] for pmid, row in rows(dataset.enrichment()).items()}
    assert statuses == {"5": "found", "6": "found", "7": "found", "99": "missing", "198": "deleted"}


def test_what_the_document_says_stays(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [6, 12], full=True)
    before = rows(dataset.articles())
    after = rows(enrich(dataset, server).articles())
    for pmid in ("6", "12"):
        assert after[pmid]["article_mesh_terms"] == ["Humans", "Heart Failure/drug therapy*"]
        assert after[pmid] == {**before[pmid], "article_mesh_terms": after[pmid]["article_mesh_terms"]}


def test_no_file_of_the_dataset_is_touched(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [6, 7])
    before = {path: path.read_bytes() for path in dataset.path.rglob("*") if path.is_file()}
    enrich(dataset, server)
    assert {path: path.read_bytes() for path in before} == before
    assert dataset.verify(deep=True)


def test_articles_without_a_number_are_not_asked_for(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [6])
    for number, pmid in enumerate([None, "none", "PMC7", "12345678901", "6", " 0006 "], 10):
        (tmp_path / f"in/PMC00000{number}.nxml").write_text(document(number, pmid))
    dataset = bm.extract(tmp_path / "in", tmp_path / "again")
    articles = enrich(dataset, server).articles().to_table().to_pylist()
    assert server.asked == [[6]]
    terms = [row["article_mesh_terms"] for row in articles]
    assert [term is not None for term in terms] == [True, False, False, False, False, True, True]


def test_a_thousand_pmids_are_five_requests_of_which_no_second_sees_more_than_three(
    tmp_path: Path, server: EntrezServer
) -> None:
    dataset = make(tmp_path, list(range(1, 1001)), part_size=300)
    bm.enrich(dataset, base_url=server.url, email="me@lab.example")
    assert [len(pmids) for pmids in server.asked] == [200] * 5
    assert sorted(pmid for pmids in server.asked for pmid in pmids) == list(range(1, 1001))
    assert server.most_in_a_second() <= 3
    form = {"db": "pubmed", "retmode": "xml", "tool": "biomedica", "email": "me@lab.example"}
    assert all({name: sent[name] for name in form} == form and "api_key" not in sent for sent in server.forms)
    assert dataset.articles().to_table().column("article_mesh_terms").null_count == 20


def test_a_key_permits_ten_requests_a_second(
    tmp_path: Path, server: EntrezServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_enrich, "BATCH", 4)
    monkeypatch.setenv("NCBI_API_KEY", "secret")

    def slow(*_: object) -> bool:
        time.sleep(0.05)
        return False

    server.fault = slow
    bm.enrich(make(tmp_path, list(range(1, 101))), base_url=server.url)
    assert len(server.asked) == 25
    assert 4 <= server.most_in_a_second() <= 10
    assert all(form["api_key"] == "secret" for form in server.forms)


def test_what_is_stored_is_never_asked_for_again(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, list(range(1, 301)))
    enrich(dataset, server)
    tables = {path: path.stat().st_mtime_ns for path in dataset.path.glob("enrichment/articles/*")}
    enrich(dataset, server)
    assert len(server.asked) == 2
    assert {path: path.stat().st_mtime_ns for path in tables} == tables
    larger = make(tmp_path, [400, 401])
    enrich(larger, server)
    assert server.asked[2:] == [[400, 401]]
    assert rows(bm.open(larger.path).articles())["401"]["article_mesh_terms"]


def test_a_part_that_is_made_again_is_joined_again(tmp_path: Path, server: EntrezServer) -> None:
    dataset = enrich(make(tmp_path, [1, 2, 3, 4], part_size=2), server)
    assert rows(dataset.articles())["3"]["article_mesh_terms"]
    (tmp_path / "in/PMC0000003.nxml").write_text(document(3, "3").replace("Text.", "A text that is new."))
    dataset = bm.extract(tmp_path / "in", tmp_path / "out", part_size=2)
    assert rows(dataset.articles())["3"]["article_text"] == "A text that is new."
    asked = len(server.asked)
    row = rows(enrich(dataset, server).articles())["3"]
    assert (row["article_text"], row["article_mesh_terms"]) == (
        "A text that is new.",
        ["Humans", "Heart Failure/drug therapy*"],
    )
    assert len(server.asked) == asked


@pytest.mark.parametrize("moment", [2, 5])
def test_a_killed_run_goes_on_without_asking_again(tmp_path: Path, server: EntrezServer, moment: int) -> None:
    dataset = make(tmp_path, list(range(1, 801)))
    program = (
        "import sys, biomedica as bm; from biomedica import _enrich; _enrich.BATCH = 100\n"
        "bm.enrich(sys.argv[1], base_url=sys.argv[2], requests_per_second=1)"
    )

    def slow(*_: object) -> bool:
        time.sleep(0.05)
        return False

    server.fault = slow
    run = subprocess.Popen([sys.executable, "-P", "-c", program, str(dataset.path), server.url])
    while len(server.asked) < moment and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    stored = set(rows(dataset.enrichment()))
    assert 0 < len(stored) < 800
    before = len(server.asked)
    enrich(dataset, server)
    again = [str(pmid) for pmids in server.asked[before:] for pmid in pmids]
    assert not stored & set(again)
    assert sorted([*stored, *again], key=int) == [str(pmid) for pmid in range(1, 801)]
    assert dataset.enrichment().count_rows() == 800
    assert not list(dataset.path.glob("enrichment/**/.tmp-*"))


def too_many(handler: EntrezHandler) -> None:
    body = b'{"error":"API rate limit exceeded","api-key":"127.0.0.1","count":"4","limit":"3"}'
    handler.answer(429, body, {"Retry-After": "1"})


def too_many_with_200(handler: EntrezHandler) -> None:
    handler.answer(200, b'{"error":"API rate limit exceeded","count":"11"}')


def broken_server(handler: EntrezHandler) -> None:
    handler.answer(500, b"<html>oops</html>")


def unavailable(handler: EntrezHandler) -> None:
    handler.answer(503, b"", {"Retry-After": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))})


def error_page(handler: EntrezHandler) -> None:
    handler.answer(200, b"<!DOCTYPE html><html><body>NCBI is under maintenance<br></body></html>")


def nothing(handler: EntrezHandler) -> None:
    handler.answer(200, b"")


def hang_up(handler: EntrezHandler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    "fault", [too_many, too_many_with_200, broken_server, unavailable, error_page, nothing, hang_up]
)
def test_a_server_that_cannot_answer_now_is_asked_again_later(
    tmp_path: Path, server: EntrezServer, fault: Callable[[EntrezHandler], None]
) -> None:
    server.fault = at_first(fault)
    enrich(make(tmp_path, [1, 2]), server)
    assert server.asked == [[1, 2], [1, 2]]
    # In time a pause, or what was asked for; a date has whole seconds.
    assert server.arrivals[1] - server.arrivals[0] >= 0.99


def test_after_too_many_requests_every_thread_waits(
    tmp_path: Path, server: EntrezServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_enrich, "BATCH", 1)
    server.fault = at_first(too_many)
    enrich(make(tmp_path, list(range(1, 11))), server, requests_per_second=3)
    # Two more may have been on their way.
    assert sum(time < server.arrivals[0] + 1 for time in server.arrivals) <= 3
    assert len(server.asked) == 11


def test_an_answer_that_breaks_off_keeps_what_is_whole(tmp_path: Path, server: EntrezServer) -> None:
    def cut(handler: EntrezHandler, pmids: list[int], number: int) -> bool:
        body = answer(pmids)
        if number == 0:
            handler.answer(200, body[: len(body) // 2], promised=len(body))
        return number == 0

    server.fault = cut
    dataset = enrich(make(tmp_path, list(range(1, 51))), server)
    assert len(server.asked) == 2
    assert 20 <= len(server.asked[1]) <= 30
    assert {row["status"] for row in rows(dataset.enrichment()).values()} == {"found"}


def test_one_broken_record_costs_only_itself(tmp_path: Path, server: EntrezServer) -> None:
    def poison(handler: EntrezHandler, pmids: list[int], _: int) -> bool:
        if 42 in pmids:
            handler.answer(200, answer(pmids).replace(b'<PMID Version="1">42<', b"<x></y><"))
        return 42 in pmids

    server.fault = poison
    dataset = enrich(make(tmp_path, list(range(1, 81))), server)
    found = rows(dataset.enrichment())
    assert [pmid for pmid, row in found.items() if row["status"] != "found"] == ["42"]
    assert found["42"]["status"] == "failed"
    assert "malformed" in str(found["42"]["detail"])
    assert len(server.asked) < 20
    server.fault = lambda *_: False
    asked = len(server.asked)
    enrich(dataset, server)
    assert len(server.asked) == asked
    dataset = enrich(dataset, server, retry=True)
    assert server.asked[asked:] == [[42]]
    assert rows(dataset.enrichment())["42"]["status"] == "found"
    assert rows(dataset.articles())["42"]["article_abstract"] == "AIM: Abstract of 42."
    assert dataset.enrichment().count_rows() == 80


def test_pmids_that_efetch_refuses_are_found_out(tmp_path: Path, server: EntrezServer) -> None:
    def refuse(handler: EntrezHandler, pmids: list[int], number: int) -> bool:
        if 7 in pmids and number % 2:
            handler.answer(200, b"<eFetchResult><ERROR>ID list is wrong</ERROR></eFetchResult>")
        elif 7 in pmids:
            handler.answer(400, b"UID=7 is not known")
        return 7 in pmids

    server.fault = refuse
    found = rows(enrich(make(tmp_path, [5, 6, 7, 8]), server).enrichment())
    assert {pmid: row["status"] for pmid, row in found.items()} == {
        "5": "found",
        "6": "found",
        "7": "failed",
        "8": "found",
    }


def test_a_server_that_only_sends_rubbish_is_given_up(tmp_path: Path, server: EntrezServer) -> None:
    server.fault = always(lambda handler: handler.answer(200, b"<PubmedArticleSet><x></y>"))
    dataset = make(tmp_path, list(range(1, 41)))
    with pytest.raises(SourceError, match="answers in a row cannot be read"):
        enrich(dataset, server, requests_per_second=200)
    with pytest.raises(DatasetError, match="biomedica enrich"):
        dataset.enrichment()


@pytest.mark.parametrize(
    ("status", "body", "headers", "says"),
    [
        (404, b"nothing here", {}, "base_url"),
        (302, b"", {"Location": "http://127.0.0.1:1/else"}, "answered 302"),
        (403, b"blocked", {}, "answered 403: blocked"),
        (400, b'{"error":"API key invalid","api-key":"secret"}', {}, "NCBI_API_KEY"),
        (429, b"slow down: secret", {"Retry-After": "3600"}, "asks to wait 3,600 s"),
        (500, b"oops", {}, "answered 500: oops; the same call goes on"),
    ],
)
def test_a_refusal_ends_the_run_and_says_what_to_do(
    tmp_path: Path, server: EntrezServer, status: int, body: bytes, headers: dict[str, str], says: str
) -> None:
    server.fault = always(lambda handler: handler.answer(status, body, headers))
    with pytest.raises(SourceError, match=says) as caught:
        enrich(make(tmp_path, [1]), server, api_key="secret", retry_timeout=0.5)
    assert "secret" not in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.asked) == 1


def test_a_request_has_a_time_limit(tmp_path: Path, server: EntrezServer) -> None:
    def drip(handler: EntrezHandler, *_: object) -> bool:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _second in range(40):
                handler.wfile.write(b" ")
                time.sleep(0.1)
        except OSError:
            pass
        return True

    server.fault = drip
    begin = time.monotonic()
    with pytest.raises(SourceError, match="takes too long"):
        enrich(make(tmp_path, [1]), server, timeout=0.5, retry_timeout=0.1)
    assert time.monotonic() - begin < 30


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    dataset = make(tmp_path, [1])
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:1/efetch\.fcgi: no answer"):
        bm.enrich(dataset, base_url="http://127.0.0.1:1", retry_timeout=0.1)


def test_two_runs_at_once_are_refused(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [1])

    def second(_: bm.Enrichment) -> None:
        with pytest.raises(DatasetError, match="another process") as caught:
            enrich(dataset, server)
        assert caught.value.reason == "locked"

    enrich(dataset, server, progress=second)


@pytest.mark.parametrize(
    "options",
    [{"base_url": "ftp://ncbi"}, {"base_url": "file:///etc"}, {"requests_per_second": 0}, {"timeout": 0.0}],
)
def test_options_that_make_no_sense_are_value_errors(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        bm.enrich(make(tmp_path, [1]), **options)


def test_a_dataset_in_a_store_is_enriched_there(
    tmp_path: Path, server: EntrezServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket()
    try:
        local = enrich(make(tmp_path, [5, 6, 99], part_size=2), server)
        options = bucket.options()
        url = "s3://lab/set"
        dataset = bm.extract(tmp_path / "in", url, part_size=2, storage_options=options)
        asked = len(server.asked)
        monkeypatch.setattr(_enrich, "BATCH", 2)
        dataset = bm.enrich(url, base_url=server.url, requests_per_second=FAST, storage_options=options)
        assert dataset.articles().to_table() == local.articles().to_table()
        assert rows(dataset.enrichment()).keys() == {"5", "6", "99"}
        assert dataset.verify(deep=True)
        enrich(dataset, server)
        assert len(server.asked) == asked + 2
        assert sorted(bucket.names("set/enrichment")) == [
            "articles/000000.parquet",
            "articles/000001.parquet",
            "enrichment.json",
            "results/000000.parquet",
            "results/000001.parquet",
        ]
        bucket.put("set/enrichment/articles/000000.parquet", b"other")
        assert [problem.path for problem in dataset.verify().problems] == ["enrichment/articles/000000.parquet"]
    finally:
        bucket.close()


def test_damage_beside_a_dataset_is_found(tmp_path: Path, server: EntrezServer) -> None:
    dataset = enrich(make(tmp_path, [1, 2, 3], part_size=2), server)
    assert dataset.verify()
    folder = dataset.path / "enrichment"
    record = (folder / "enrichment.json").read_text()
    (folder / "results/000000.parquet").write_bytes(b"PAR1")
    (folder / "articles/000001.parquet").unlink()
    entry = json.loads(record)["parts"][0]
    (folder / "enrichment.json").write_text(record.replace(entry["articles"], "0" * 64))
    report = dataset.verify()
    assert report.num_problems == 3
    assert [problem.path for problem in report.problems] == [
        "enrichment/articles/000001.parquet",
        "enrichment/enrichment.json",
        "enrichment/results/000000.parquet",
    ]
    (folder / "enrichment.json").write_text("{")
    assert [problem.path for problem in dataset.verify().problems] == ["enrichment/enrichment.json"]


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "biomedica", "enrich", *words], check=False, capture_output=True, text=True, timeout=60
    )


def test_the_command_counts_what_came_and_exits_accordingly(tmp_path: Path, server: EntrezServer) -> None:
    dataset = make(tmp_path, [1, 2, 99])
    options = ("--base-url", server.url, "--requests-per-second", str(FAST))
    done = command(dataset.path, *options, "--log-format", "json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["event"] == "summary"
    counts = {name: summary[name] for name in ("total_pmids", "found", "missing", "failed", "requests")}
    assert counts == {"total_pmids": 3, "found": 2, "missing": 1, "failed": 0, "requests": 1}
    server.fault = always(lambda handler: handler.answer(200, b"<PubmedArticleSet><x></y>"))
    done = command(dataset.path, *options, "--retry", "--strict")
    assert done.returncode == 1
    assert "3 PMIDs: 2 found, 0 deleted, 0 missing, 1 failed" in done.stdout
    empty = bm.extract(next((tmp_path / "in").glob("*1.nxml")), tmp_path / "one")
    (tmp_path / "none.nxml").write_text(document(1, None))
    empty = bm.extract(tmp_path / "none.nxml", tmp_path / "none")
    assert command(empty.path, *options).returncode == 1
    assert command(tmp_path / "absent", *options).returncode == 1
    assert command(dataset.path, "--timeout", "never").returncode == 2


def test_ctrl_c_ends_it_at_once_though_the_server_is_silent(tmp_path: Path, server: EntrezServer) -> None:
    server.fault = always(lambda _: time.sleep(20))
    dataset = make(tmp_path, [1])
    words = [sys.executable, "-m", "biomedica", "enrich", str(dataset.path), "--base-url", server.url]
    run = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ)
    while not server.asked and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=10)
    assert run.returncode == 130
    assert "run the same command again" in stderr
