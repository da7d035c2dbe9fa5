"""The least that the work can cost, measured by the Rust example `floors` on the same bytes."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.measure import ROOT, Contender

PROGRAM = ROOT / "target/release/examples/floors"


def floors(paths: Sequence[Path]) -> Contender:
    """Seconds of a bare XML event loop, of inflating alone, of sha-256 alone and of the core without Python.

    Names: `xml_events_s`, `inflate_s`, `sha256_s`, `parse_s`, `packages_to_arrow_s`.
    """

    def run() -> dict[str, float]:
        done = subprocess.run([PROGRAM, *paths], check=True, capture_output=True, text=True)
        return {name: float(value) for name, value in json.loads(done.stdout).items()}

    return run
