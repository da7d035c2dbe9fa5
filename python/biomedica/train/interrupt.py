"""SIGTERM and SIGINT ask a run to stop after its step; a second one stops it at once."""

import signal
from types import FrameType
from typing import Any, Self

__all__ = ["EXIT_CODES", "Interrupt"]

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}
"""Of a run that was stopped by a signal and has saved its state."""


class Interrupt:
    """Remembers a signal while its block runs. Outside the main thread, where Python sets no handlers, it does nothing."""

    def __init__(self) -> None:
        self.signal: str | None = None
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Listen."""
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old[number] = signal.signal(number, self._note)
        except ValueError:
            pass
        return self

    def __exit__(self, *_: object) -> None:
        """Have the signals mean what they meant before."""
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        signal.signal(number, self._old[number])
