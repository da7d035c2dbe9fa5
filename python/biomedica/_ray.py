"""`extract(engine="ray")`: each part is a task of a Ray cluster; the driver plans, and keeps the record."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biomedica import _core
from biomedica.exceptions import BiomedicaError, SourceError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["run_parts"]

LOOK_SECONDS = 0.1
"""How often progress is shown while no part is done."""
RETRIES = 3
"""How often a part is made again whose worker was lost."""
AHEAD = 2
"""Tasks that wait for each that can run: a worker never waits for the driver, and plans do not pile up."""


def run_parts(
    run: _core.Run,
    output: str,
    *,
    address: str | None,
    threads: int | None,
    storage_options: list[tuple[str, str]],
    progress: Callable[[dict[str, Any]], object] | None,
) -> None:
    """Have all parts of a run made by Ray's workers, and take them in as they come.

    What is sent is the list of a part's packages; what comes back is the part's number. Every machine must see the
    sources and the output under the same names. A part whose worker dies is made again, up to three times.

    Args:
        run: The run; it is ended here.
        output: Where the dataset lies.
        address: The cluster; None is the one that is connected to, that of `RAY_ADDRESS`, or one of this machine.
        threads: Threads, and so CPUs, of each task; one when not given.
        storage_options: How stores are spoken to.
        progress: Told how far the run is.

    Raises:
        ImportError: Ray is not there.
        SourceError: Workers died again and again.
        BiomedicaError: What a worker raised.
    """
    ray = _ray()
    with _cluster(ray, address):
        cpus, here = threads or 1, Path.cwd()
        task = ray.remote(_write_part).options(num_cpus=cpus, max_retries=RETRIES)
        pending: dict[Any, None] = {}
        try:
            is_planned = False
            while True:
                most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
                while not is_planned and len(pending) < most:
                    plan = run.task()
                    is_planned = plan is None
                    if plan is not None:
                        pending[task.remote(plan, output, cpus, storage_options, here)] = None
                if not pending:
                    break
                done, _ = ray.wait(list(pending), timeout=LOOK_SECONDS)
                for part in done:
                    del pending[part]
                    run.adopt(*_result(ray, part))
                if progress is not None:
                    progress(run.progress())
            last = run.finish()
            if progress is not None:
                progress(last)
        finally:
            for part in pending:
                ray.cancel(part, force=True)
            # A worker that is told to stop may still be publishing: it is waited for, lest the lock go before it.
            if pending:
                ray.wait(list(pending), num_returns=len(pending), timeout=10)


def _write_part(
    task: str, output: str, threads: int, storage_options: list[tuple[str, str]], directory: Path
) -> tuple[int, str, float]:
    """What a worker does, in the directory that paths are relative to, and how many seconds it takes."""
    os.chdir(directory)
    begin = time.monotonic()
    number, inputs = _core.write_part(task, output, threads=threads, storage_options=storage_options)
    return number, inputs, time.monotonic() - begin


def _result(ray: "ModuleType", part: Any) -> tuple[int, str, float]:  # noqa: ANN401 # Ray says nothing of its types
    try:
        number, inputs, seconds = ray.get(part)
    except ray.exceptions.RayTaskError as error:
        # What the worker raised, rather than Ray's wrapping of it.
        if isinstance(error.cause, BiomedicaError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        message = f"a part could not be made, though it was tried {RETRIES + 1} times: {error}"
        raise SourceError(message) from error
    return number, inputs, seconds


@contextlib.contextmanager
def _cluster(ray: "ModuleType", address: str | None) -> Iterator[None]:
    """A connection to the cluster; one that is there already stays."""
    if ray.is_initialized():
        yield
        return
    ray.init(address=address, log_to_driver=False, include_dashboard=False, configure_logging=False)
    try:
        yield
    finally:
        ray.shutdown()


def _ray() -> "ModuleType":
    try:
        import ray
    except ImportError:
        raise ImportError("engine 'ray' needs Ray: pip install 'biomedica[ray]'") from None
    return ray
