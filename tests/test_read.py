"""`read`: packages to Arrow, in order, back-pressured, interruptible."""

import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import biomedica as bm
from made import document, package, packages, tar_gz

THREADS = Path("/proc/self/task")


def threads() -> int:
    return len(list(THREADS.iterdir()))


def settles(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether something becomes true soon."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def tables(reader: bm.Reader) -> dict[str, pa.Table]:
    """All chunks as one table each."""
    chunks = list(reader)
    return {
        name: pa.Table.from_batches([getattr(chunk, name) for chunk in chunks])
        for name in ("articles", "figures", "failures")
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty packages, three of them broken."""
    directory = packages(tmp_path_factory.mktemp("read") / "in", 57)
    (directory / "PMC900.tar.gz").write_bytes(b"\x1f\x8b\x08" + b"no gzip" * 40)
    tar_gz(directory / "PMC901.tar.gz", {"PMC901/a.jpg": b"no document"})
    (directory / "loose").mkdir()
    (directory / "loose" / "PMC902.xml").write_bytes(b"<article>")
    return directory


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More than is read ahead: 40 directories with 8 MiB of noise for an image."""
    noise = os.urandom(1 << 23)
    for number in range(1, 41):
        (tmp_path / f"PMC{number}").mkdir()
        (tmp_path / f"PMC{number}" / "a.nxml").write_bytes(document(number, 1))
        (tmp_path / f"PMC{number}" / "f1.jpg").write_bytes(noise)
    return tmp_path


def test_every_package_is_an_article_or_a_failure(source: Path) -> None:
    read = tables(bm.read(source))
    assert read["articles"].num_rows == 57
    failures = read["failures"].to_pylist()
    assert [(Path(row["source"]).name, row["stage"], row["reason"]) for row in failures] == [
        ("PMC900.tar.gz", "inflate", "corrupt"),
        ("PMC901.tar.gz", "tar", "no_xml"),
        ("loose", "xml", "truncated"),
    ]
    assert read["figures"].num_rows == sum(1 + number % 3 for number in range(1, 58))


def test_schemas_are_those_of_a_dataset_and_the_bytes(source: Path, tmp_path: Path) -> None:
    dataset = bm.extract(source, tmp_path / "out")
    chunk = next(bm.read(source))
    assert chunk.articles.schema.names == dataset.articles().schema.names
    assert chunk.failures.schema.names == dataset.failures().schema.names
    pointer = {"shard", "shard_offset", "shard_length"}
    assert set(dataset.figures().schema.names) ^ set(chunk.figures.schema.names) <= {*pointer, "image_bytes"}
    for table in ("articles", "figures", "failures"):
        ours, written = getattr(chunk, table).schema, getattr(dataset, table)().schema
        for name in set(ours.names) & set(written.names):
            assert ours.field(name).type == written.field(name).type, name
    assert chunk.figures.schema.field("image_bytes").type in {pa.binary(), pa.large_binary(), pa.binary_view()}


def test_image_bytes_are_those_of_the_files(source: Path) -> None:
    files: dict[tuple[str, str], bytes] = {}
    for path in source.glob("PMC?.tar.gz"):
        with tarfile.open(path) as archive:
            for member in archive:
                if (stream := archive.extractfile(member)) is not None:
                    files[path.name.split(".")[0], member.name.rpartition("/")[2]] = stream.read()
    rows = tables(bm.read(str(source / "PMC?.tar.gz")))["figures"].to_pylist()
    assert len(rows) > 9
    for row in rows:
        data = files[row["article_accession_id"], row["image_file_name"]]
        assert row["image_bytes"] == data
        assert row["image_num_bytes"] == len(data)
        assert row["image_hash"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("count", [2, 5])
def test_chunks_do_not_depend_on_threads(source: Path, count: int) -> None:
    one, other = (list(bm.read(source, threads=number)) for number in (1, count))
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        for name in ("articles", "figures", "failures"):
            assert getattr(left, name).equals(getattr(right, name)), name


def test_pyarrow_polars_and_duckdb_take_the_figures_as_a_stream(source: Path) -> None:
    expected = tables(bm.read(source))["figures"]
    assert pa.RecordBatchReader.from_stream(bm.read(source)).read_all().equals(expected)
    frame = pl.DataFrame(bm.read(source))
    assert frame["image_id"].to_list() == expected["image_id"].to_pylist()
    assert frame["image_bytes"].to_list() == expected["image_bytes"].to_pylist()
    stream = pa.RecordBatchReader.from_stream(bm.read(source))
    query = "select count(*), count(distinct image_hash) from stream where status = 'ok'"
    assert duckdb.connect().execute(query).fetchone() == (expected.num_rows, len(expected["image_hash"].unique()))
    assert stream is not None


def test_a_reader_is_read_once(source: Path) -> None:
    reader = bm.read(source)
    states = [reader.closed]
    list(reader)
    states.append(reader.closed)
    assert states == [False, True]
    assert next(reader, None) is None
    with pytest.raises(RuntimeError, match=r"closed.*call read again"):
        pa.RecordBatchReader.from_stream(reader)
    handed_over = bm.read(source)
    stream = pa.RecordBatchReader.from_stream(handed_over)
    assert handed_over.closed
    with pytest.raises(RuntimeError, match=r"closed.*call read again"):
        pa.RecordBatchReader.from_stream(handed_over)
    assert stream.read_all().num_rows > 0


def test_a_chunk_outlives_its_reader(source: Path) -> None:
    with bm.read(source) as reader:
        chunk = next(reader)
    assert reader.closed
    figures = chunk.figures
    del chunk, reader
    assert hashlib.sha256(figures["image_bytes"][0].as_py()).hexdigest() == figures["image_hash"][0].as_py()


@pytest.mark.skipif(not THREADS.is_dir(), reason="threads are counted in /proc")
@pytest.mark.parametrize("end", ["close", "with", "drop", "stream"])
def test_an_early_stop_leaves_no_thread(many: Path, end: str) -> None:
    before = threads()
    reader = bm.read(many, threads=3)
    if end == "stream":
        stream = pa.RecordBatchReader.from_stream(reader)
        stream.read_next_batch()
        del stream
    else:
        next(reader)
    if end == "with":
        with reader:
            pass
    if end == "close":
        reader.close()
        reader.close()
        assert reader.closed
    del reader
    assert settles(lambda: threads() <= before), f"{threads()} threads, {before} before"


def test_other_threads_run_while_one_waits(tmp_path: Path) -> None:
    text = b"word <b>x</b> " * 2_000_000
    large = tar_gz(tmp_path / "PMC3.tar.gz", {"PMC3/a.nxml": b"<article><body><p>" + text + b"</p></body></article>"})
    counted, done = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    reader = bm.read(large, threads=1)
    counter.start()
    begin = time.monotonic()
    next(reader)
    seconds = time.monotonic() - begin
    done.set()
    counter.join()
    assert seconds > 0.02, "too little to read for this test"
    assert counted > seconds * 200, f"{counted} steps in {seconds:.3f} s"


def test_what_is_not_there_is_told_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(bm.SourceNotFoundError, match="absent") as caught:
        bm.read([tmp_path, tmp_path / "absent"])
    assert isinstance(caught.value, FileNotFoundError)
    assert (caught.value.stage, caught.value.reason) == ("open", "not_found")
    assert caught.value.source == str(tmp_path / "absent")


def test_a_glob_without_a_match_is_a_failure(tmp_path: Path) -> None:
    failures = tables(bm.read([tmp_path / "*.tar.gz", package(tmp_path, 1), tmp_path / "*.nxml"]))["failures"]
    assert [(row["source"], row["reason"]) for row in failures.to_pylist()] == [(str(tmp_path / "*.nxml"), "not_found")]


def test_an_empty_directory_gives_nothing(tmp_path: Path) -> None:
    assert list(bm.read(tmp_path)) == []


def test_options_that_make_no_sense_are_value_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="threads"):
        bm.read(tmp_path, threads=0)
    with pytest.raises(ValueError, match="no source"):
        bm.read([])
    with pytest.raises(ValueError, match="min_size"):
        bm.read(tmp_path, min_size=-1)
    with pytest.raises(ValueError, match=r"no subset is called .comercial.; there are commercial, "):
        bm.read(tmp_path, subset="comercial")
    with pytest.raises(ValueError, match=r"no license is called .CC-BY.; there are CC0, CC BY, "):
        bm.read(tmp_path, license=["CC BY", "CC-BY"])
    with pytest.raises(ValueError, match="retracted"):
        bm.read(tmp_path, retracted="maybe")  # type: ignore[arg-type]


def test_ctrl_c_ends_a_read_cleanly(many: Path) -> None:
    program = (
        "import sys, time, biomedica as bm\n"
        "try:\n"
        "    while True:\n"
        "        for chunk in bm.read(sys.argv[1], threads=2):\n"
        "            print('go', flush=True)\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, many], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "go\n"
        running.send_signal(signal.SIGINT)
        begin = time.monotonic()
        out, _ = running.communicate(timeout=30)
    assert time.monotonic() - begin < 5
    assert out.splitlines()[-1] == "stopped"
    assert running.returncode == 0
