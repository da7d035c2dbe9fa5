"""Small article packages made by code, for the tests of datasets."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

LICENSES = {
    "commercial": "https://creativecommons.org/licenses/by/4.0/",
    "noncommercial": "https://creativecommons.org/licenses/by-nc/4.0/",
    "other": None,
}
FORMATS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "tif": "TIFF"}


def image(seed: int, extension: str = "jpg", size: tuple[int, int] = (64, 48)) -> bytes:
    """An image whose colour and bytes follow from `seed`."""
    buffer = io.BytesIO()
    colour = (seed * 37 % 256, seed * 101 % 256, seed * 7 % 256)
    Image.new("RGB", size, colour).save(buffer, FORMATS[extension])
    return buffer.getvalue()


def document(number: int, figures: int, *, subset: str = "commercial", label: bool = True) -> bytes:
    """The JATS of article `PMC<number>` with figures `f1.jpg`, `f2.jpg`, …; every second one has a group's caption."""
    url = LICENSES[subset]
    permissions = f'<permissions><license xlink:href="{url}"/></permissions>' if url else ""
    figs = "".join(
        f'<fig id="f{i}">{f"<label>Figure {i}</label>" * label}'
        f'<caption><p>Caption {i} of article {number}.</p></caption><graphic xlink:href="f{i}"/></fig>'
        for i in range(1, figures + 1)
    )
    mentions = "".join(f'<p>See <xref ref-type="fig" rid="f{i}">it</xref> here.</p>' for i in range(2, figures + 1))
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article"><front><article-meta>'
        f'<article-id pub-id-type="pmc">{number}</article-id><title-group><article-title>Article {number}'
        f"</article-title></title-group>{permissions}</article-meta></front><body>{figs}{mentions}</body></article>"
    ).encode()


def tar_gz(path: Path, members: Mapping[str, bytes]) -> Path:
    """A `.tar.gz` with these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def package(
    directory: Path, number: int, figures: int = 2, *, extension: str = "jpg", subset: str = "commercial"
) -> Path:
    """Article `PMC<number>` as a package with all its images."""
    name = f"PMC{number}"
    images = {f"{name}/f{i}.{extension}": image(number * 10 + i, extension) for i in range(1, figures + 1)}
    members = {f"{name}/{name}.nxml": document(number, figures, subset=subset), **images}
    return tar_gz(directory / f"{name}.tar.gz", members)


def packages(directory: Path, count: int) -> Path:
    """A directory of `count` packages: all subsets, one to three figures, mostly JPEG."""
    directory.mkdir(parents=True, exist_ok=True)
    subsets = list(LICENSES)
    for number in range(1, count + 1):
        extension = "png" if number % 5 == 0 else "jpg"
        package(directory, number, 1 + number % 3, extension=extension, subset=subsets[number % 3])
    return directory


def tree(directory: Path) -> dict[str, bytes]:
    """Every file of a directory."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}
