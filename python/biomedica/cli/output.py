"""What the command says, for people or for machines: results on stdout, everything else on stderr."""

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping


class Output:
    """Writes each message as text, or as one JSON object a line with its kind under `event`."""

    def __init__(self, log_format: Literal["text", "json"] = "text") -> None:
        self.json = log_format == "json"

    def result(self, event: str, values: "Mapping[str, object]", text: str) -> None:
        """What was asked for: `values` for machines, `text` for people."""
        self._write(sys.stdout, event, values, text)

    def note(self, event: str, values: "Mapping[str, object]", text: str) -> None:
        """Something by the way. When nobody reads stderr any more it is lost, and the work goes on."""
        with contextlib.suppress(BrokenPipeError):
            self._write(sys.stderr, event, values, text)

    def error(self, message: str) -> None:
        """Why the command ends, in one line."""
        line = " ".join(message.split())
        self.note("error", {"message": line}, f"biomedica: {line}")

    def _write(self, stream: TextIO, event: str, values: "Mapping[str, object]", text: str) -> None:
        stream.write((json.dumps({"event": event, **values}, default=str) if self.json else text) + "\n")
        stream.flush()
