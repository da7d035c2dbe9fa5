"""A thread that makes things ahead of the one who takes them."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs an iterator in a thread of its own, up to `depth` items ahead of those taken.

    What the iterator raises comes out of `next`, after the items made before it. The thread holds no reference to this
    object, so that dropping it can end the thread (`weakref.finalize` with `close`); it is a daemon only so that an
    interpreter that ends without `close` is not held up.
    """

    def __init__(self, items: Iterator[T], depth: int, *, name: str) -> None:
        self._shared = _Shared[T](depth)
        self._thread = threading.Thread(target=_work, args=(items, self._shared), name=name, daemon=True)
        self._thread.start()
        self.close = _Close(self._shared, self._thread)
        """Ends the thread, once it has made what it is at; what was made ahead is dropped."""

    def __iter__(self) -> "Ahead[T]":
        return self

    def __next__(self) -> T:
        shared = self._shared
        with shared.changed:
            while not shared.items:
                if shared.is_over:
                    error, shared.error = shared.error, None
                    raise error or StopIteration
                shared.changed.wait()
            item = shared.items.popleft()
            shared.changed.notify_all()
        return item


class _Shared(Generic[T]):
    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.changed = threading.Condition()
        self.items: deque[T] = deque()
        self.error: BaseException | None = None
        self.is_over = False
        self.is_closed = False


class _Close:
    """Apart from `Ahead`, so that a finalizer can hold it without holding `Ahead`."""

    def __init__(self, shared: "_Shared[T]", thread: threading.Thread) -> None:
        self._shared = shared
        self._thread = thread

    def __call__(self) -> None:
        with self._shared.changed:
            self._shared.is_closed = self._shared.is_over = True
            self._shared.items.clear()
            self._shared.changed.notify_all()
        # A finalizer runs in whichever thread drops the last reference, even in this one.
        if self._thread is not threading.current_thread():
            self._thread.join()


def _work(items: Iterator[T], shared: _Shared[T]) -> None:
    try:
        for item in items:
            with shared.changed:
                while len(shared.items) >= shared.depth and not shared.is_closed:
                    shared.changed.wait()
                if shared.is_closed:
                    return
                shared.items.append(item)
                shared.changed.notify_all()
    except BaseException as error:  # noqa: BLE001 - the one who takes the items gets it
        shared.error = error
    finally:
        with shared.changed:
            shared.is_over = True
            shared.changed.notify_all()
