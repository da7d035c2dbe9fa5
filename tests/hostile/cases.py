"""Hostile and broken packages, made by code: each with the rows that it must give."""

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from made import document, image

NAME = "PMC500"
"""The package between the good ones, and its article's accession."""
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """One hostile package."""

    make: Callable[[Path], None]
    """Writes it into a directory, under a name that begins with `NAME`."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Stage and reason of each row that it must give, in order."""
    statuses: list[str] | None = None
    """The status of each of its figures; None when no article can come of it."""
    articles: int = 1
    """Articles that come of it when `statuses` says that some do."""


def member(
    name: str | bytes, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", size: int | None = None
) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member; a name in bytes stays as it is."""
    info = tarfile.TarInfo(name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
    info.type, info.linkname = kind, link
    info.size = len(data) if size is None else size
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A tar with its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if data else None)
    return buffer.getvalue()


def article(figures: int = 2, **files: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The members of a sound article, some of its files replaced or added (`f1_jpg=…`)."""
    contents = {"a.nxml": document(500, figures)}
    contents |= {f"f{i}.jpg": image(i) for i in range(1, figures + 1)}
    contents |= {name.replace("_", "."): data for name, data in files.items()}
    return [member(f"{NAME}/{name}", data) for name, data in contents.items()]


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> Callable[[Path], None]:
    """Writes a `.tar.gz` of these members."""
    return written(gzip.compress(tar(*members), mtime=0))


def written(data: bytes, extension: str = ".tar.gz") -> Callable[[Path], None]:
    """Writes a file with these bytes."""

    def write(directory: Path) -> None:
        (directory / f"{NAME}{extension}").write_bytes(data)

    return write


def unpacked(files: Mapping[str | bytes, bytes]) -> Callable[[Path], None]:
    """Writes a directory with these files."""

    def write(directory: Path) -> None:
        top = directory / NAME
        top.mkdir()
        for name, data in files.items():
            (top / os.fsdecode(name)).write_bytes(data)

    return write


def xml(data: bytes) -> Callable[[Path], None]:
    """Writes a package whose document is `data`, with the images of two figures."""
    return packed(*article(a_nxml=data))


def with_body(inside: bytes, before: bytes = b"") -> bytes:
    return before + b"<article><front/><body>" + inside + b"</body></article>"


def sound_gzip() -> bytes:
    """A `.tar.gz` of a sound article and of some digits, so that its middle is long and all of it is code."""
    noise = bytes(random.Random(0).choices(b"0123456789", k=100_000))
    return gzip.compress(tar(*article(), member(f"{NAME}/s1.bin", noise)), mtime=0)


def overwritten(data: bytes, at: int, patch: bytes) -> bytes:
    return data[:at] + patch + data[at + len(patch) :]


def oversized_tar(directory: Path) -> None:
    """A tar with an image of 129 MiB, all of it a hole of the file system."""
    head = tar(*article(), member(f"{NAME}/f3.jpg", size=129 * MIB))
    end = len(head) // 512 * 512
    while head[end - 512 : end] == bytes(512):
        end -= 512
    with (directory / f"{NAME}.tar").open("wb") as file:
        file.write(head[:end])
        file.truncate(end + 129 * MIB + 1024)


def oversized_document(directory: Path) -> None:
    """A directory with a document of 65 MiB, a hole of the file system."""
    unpacked({"f1.jpg": image(1)})(directory)
    with (directory / NAME / "a.nxml").open("wb") as file:
        file.truncate(65 * MIB)


def zip_bomb() -> bytes:
    """64 MiB of zeros, as an image after a sound article."""
    return gzip.compress(tar(*article(), member(f"{NAME}/f3.jpg", bytes(64 * MIB))), mtime=0)


def laughs() -> bytes:
    """A billion laughs."""
    levels = b"".join(b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return with_body(b"<p>&l9;</p>", b"<!DOCTYPE article [<!ENTITY l0 'lol'>" + levels + b"]>")


def outside_entity() -> bytes:
    """An entity that would read a file; nothing external is ever fetched."""
    figure = b"<fig id='f1'><caption><p>A&secret;Z</p></caption><graphic href='f1'/></fig>"
    return with_body(figure, b"<!DOCTYPE article [<!ENTITY secret SYSTEM 'file:///etc/passwd'>]>")


def dangling_links(directory: Path) -> None:
    unpacked({"a.nxml": document(500, 2), "f1.jpg": image(1)})(directory)
    (directory / NAME / "f2.jpg").symlink_to("nowhere.jpg")


def endless_links(directory: Path) -> None:
    """A link to the directory that it lies in: a walk that follows it never ends."""
    unpacked({"a.nxml": document(500, 1), "f1.jpg": image(1)})(directory)
    (directory / NAME / "again").symlink_to(directory, target_is_directory=True)


def pipes(directory: Path) -> None:
    """Pipes that nobody writes into: to open one is to wait forever."""
    unpacked({"a.nxml": document(500, 2), "f1.jpg": image(1)})(directory)
    os.mkfifo(directory / NAME / "f2.jpg")
    os.mkfifo(directory / f"{NAME}-pipe.tar.gz")


def name_of_bytes(directory: Path) -> None:
    """A package whose own name is no UTF-8."""
    (directory / os.fsdecode(b"PMC500-\xff\xfe.tar.gz")).write_bytes(gzip.compress(tar(*article()), mtime=0))


HTML = b"<!DOCTYPE html><html><body>404 not found</body></html>" * 40
OK2 = ["ok", "ok"]

CASES: dict[str, Case] = {
    # gzip and tar
    "empty file": Case(written(b""), [("open", "empty")]),
    "truncated gzip": Case(written(sound_gzip()[:-30_000]), [("inflate", "truncated")], OK2),
    "gzip header alone": Case(written(sound_gzip()[:7]), [("inflate", "truncated")]),
    "corrupt gzip": Case(written(overwritten(sound_gzip(), 10, b"\x07")), [("inflate", "corrupt")]),
    # Codes that are read as others: what they stand for is no tar any more.
    "garbled gzip": Case(written(overwritten(sound_gzip(), 8_000, b"\xff" * 64)), [("tar", "corrupt")], OK2),
    "wrong checksum": Case(
        written(overwritten(sound_gzip(), len(sound_gzip()) - 8, b"none")), [("inflate", "corrupt")], OK2
    ),
    "bytes after the gzip": Case(written(sound_gzip() + b"garbage!"), [("inflate", "corrupt")], OK2),
    "truncated tar": Case(written(tar(*article())[:3200], ".tar"), [("tar", "truncated")], ["ok", "no_image"]),
    "corrupt tar": Case(written(b"x" * 2000, ".tar"), [("tar", "corrupt")]),
    "another compression": Case(written(b"BZh91AY&SY" + bytes(100)), [("open", "unsupported_format")]),
    "zip bomb": Case(written(zip_bomb()), [("inflate", "bomb")], OK2),
    "oversized member": Case(oversized_tar, [("tar", "too_large")], OK2),
    "path traversal": Case(
        packed(
            *article(),
            member("../f3.jpg", image(3)),
            member(f"{NAME}/../../f4.jpg", image(4)),
            member("/etc/f5.jpg", image(5)),
        ),
        [("tar", "unsafe_path")] * 3,
        OK2,
    ),
    "links and devices": Case(
        packed(
            *article(1),
            member(f"{NAME}/f2.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"),
            member(f"{NAME}/f3.jpg", kind=tarfile.LNKTYPE, link=f"{NAME}/f1.jpg"),
            member(f"{NAME}/f4.jpg", kind=tarfile.CHRTYPE),
            member(f"{NAME}/f5.jpg", kind=tarfile.BLKTYPE),
            member(f"{NAME}/f6.jpg", kind=tarfile.FIFOTYPE),
            member(f"{NAME}/f7.jpg", kind=tarfile.GNUTYPE_SPARSE),
        ),
        [("tar", "unsupported_member")] * 6,
        ["ok"],
    ),
    "deep directories": Case(packed(*article(), member("d/" * 100 + "f3.jpg", image(3))), [("tar", "too_deep")], OK2),
    "names that are no UTF-8": Case(packed(*article(), member(b"PMC500/\xff\xfe.jpg", image(3))), [], OK2),
    "a package's name that is no UTF-8": Case(name_of_bytes, [], OK2),
    "a file's name that is no UTF-8": Case(
        unpacked({"a.nxml": document(500, 1), "f1.jpg": image(1), b"\xff.jpg": image(2)}), [], ["ok"]
    ),
    # XML
    "no document": Case(packed(member(f"{NAME}/f1.jpg", image(1))), [("tar", "no_xml")]),
    "empty document": Case(xml(b""), [("xml", "empty")]),
    "malformed document": Case(xml(with_body(b"<p>a</q>")), [("xml", "malformed")]),
    "truncated document": Case(xml(document(500, 2)[:-40]), [("xml", "truncated")]),
    "another vocabulary": Case(xml(b"<html><body/></html>"), [("xml", "no_article")]),
    "binary document": Case(xml(bytes(range(256)) * 8), [("xml", "bad_encoding")]),
    "unknown encoding": Case(
        xml(with_body(b"", b"<?xml version='1.0' encoding='x-klingon'?>")), [("xml", "bad_encoding")]
    ),
    "broken encoding": Case(xml(with_body(b"<p>caf\xe9</p>")), [("xml", "bad_encoding")]),
    "entity bomb": Case(xml(laughs()), [("xml", "entity_bomb")]),
    "entity from outside": Case(xml(outside_entity()), [], ["ok"]),
    "nested 100,000 deep": Case(xml(with_body(b"<sec>" * 100_000 + b"</sec>" * 100_000)), [("xml", "too_deep")]),
    "oversized document": Case(oversized_document, [("open", "too_large")]),
    "two documents": Case(
        packed(*article(1), member(f"{NAME}/b.nxml", document(501, 1))), [], ["ok", "ok"], articles=2
    ),
    "two documents of one article": Case(
        packed(*article(1), member(f"{NAME}/b.nxml", document(500, 1))), [("write", "duplicate")], ["ok"]
    ),
    # images
    "missing images": Case(packed(member(f"{NAME}/a.nxml", document(500, 2))), [], ["no_image"] * 2),
    "empty image": Case(packed(*article(f1_jpg=b"")), [("image", "empty")], ["unreadable_image", "ok"]),
    "a PNG by the name of a JPEG": Case(packed(*article(f1_jpg=image(1, "png"))), [], OK2),
    "a page by the name of an image": Case(packed(*article(f1_jpg=HTML)), [], ["unreadable_image", "ok"]),
    "half a header": Case(packed(*article(f1_jpg=image(1)[:30])), [], ["unreadable_image", "ok"]),
    "an image of no size": Case(packed(*article(f1_jpg=b"GIF89a" + bytes(40))), [], ["unreadable_image", "ok"]),
    "tiny image": Case(packed(*article(f1_jpg=image(1, "jpg", (20, 20)))), [], ["too_small", "ok"]),
    # directories
    "dangling link": Case(dangling_links, [("open", "not_found")], ["ok", "no_image"]),
    "endless link": Case(endless_links, [], ["ok"]),
    "pipes": Case(pipes, [("open", "unsupported_format")], ["ok", "no_image"]),
}
