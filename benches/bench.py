"""`biomedica bench` on the real articles where they are, its record kept in `benches/runs`: `make bench`."""

import re
import sys
from pathlib import Path

from biomedica._bench import Benchmark
from biomedica.benchmarks.table import markdown, write_readme
from biomedica.cli import main

ROOT = Path(__file__).parents[1]
DATA = ROOT / "../shared/data"
OUTPUT = ROOT / "target/bench"


def run(argv: list[str]) -> int:
    """Measure; `--readme` puts the table into README.md."""
    options = [option for option in argv if option != "--readme"]
    code = main(["bench", "--output", str(OUTPUT), *(["--data", str(DATA)] if DATA.is_dir() else []), *options])
    if code or {"--list", "--help", "-h"} & set(options):
        return code
    found = Benchmark.read(OUTPUT)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{found.machine['cpu']} {found.machine['cores']} cores".lower()).strip("-")
    path = ROOT / "benches/runs" / f"{found.date[:10]}-{slug}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((OUTPUT / "bench.json").read_bytes())
    print(f"kept as {path.relative_to(ROOT)}")
    if "--readme" in argv:
        write_readme(ROOT / "README.md", markdown(found.rows, found.where()))
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
