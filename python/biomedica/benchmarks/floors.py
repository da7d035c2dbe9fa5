"""The least that the work can cost, measured by the Rust example `floors` on the same bytes."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from biomedica.benchmarks.measure import Contender

PROGRAM = Path(__file__).parents[3] / "target/release/examples/floors"
"""In a checkout, once it was built."""


def floors(paths: Sequence[Path]) -> Contender:
    """Seconds of a bare XML event loop, of inflating alone, of sha-256 alone and of the core without Python.

    Nothing outside a checkout, and where the example was not built. Names: `xml_events_s`, `inflate_s`, `sha256_s`, `parse_s`, `packages_to_arrow_s`.
    """
    if not PROGRAM.exists():
        return dict

    def run() -> dict[str, float]:
        done = subprocess.run([PROGRAM, *paths], check=True, capture_output=True, text=True)
        return {name: float(value) for name, value in json.loads(done.stdout).items()}

    return run
