"""`loader`: batches of images and tokens from shards, resumable to the sample.

The stream reads ahead in threads of the core; one thread of Python takes samples from it, has their images decoded (by
threads of the core, or by DALI), makes tokens of their captions and keeps a few batches ready. It spends nearly all of
its time without the GIL, so that a training step in the main thread goes on meanwhile.

Each crop and each choice of a caption depends on seed, epoch and the sample's turn alone. A state is therefore the
stream's: a batch size, a number of threads or of processes is no part of it.
"""

import time
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import torch

from biomedica._stream import stream as open_stream
from biomedica.load.ahead import Ahead
from biomedica.load.batches import Batch, Batches, Made, Stream
from biomedica.load.captions import KINDS, Captions
from biomedica.load.device import CudaDevice, HostDevice
from biomedica.load.pixels import choose_decoder, decoding_threads, open_pixels
from biomedica.load.tokenize import AnyTokenizer, get_tokenizer
from biomedica.load.transform import OPENAI_MEAN, OPENAI_STD, Transform

if TYPE_CHECKING:
    from pathlib import Path

    from biomedica._stream import Shards
    from biomedica.selections.ids import Ids

__all__ = ["Loader", "loader"]


def loader(
    source: "Shards | Mapping[str, float] | Mapping[Path, float]",
    *,
    batch_size: int,
    image_size: int = 224,
    decoder: str = "auto",
    tokenizer: AnyTokenizer | None = "ViT-B-32",
    context_length: int | None = None,
    caption_choice: str | Mapping[str, float] = "caption=1",
    train: bool = True,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    scale: tuple[float, float] = (0.9, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    mean: tuple[float, float, float] = OPENAI_MEAN,
    std: tuple[float, float, float] = OPENAI_STD,
    interpolation: Literal["bicubic", "bilinear"] = "bicubic",
    fit: Literal["shortest", "longest", "squash"] = "shortest",
    flip: bool = False,
    preprocess_cfg: Mapping[str, Any] | None = None,
    threads: int | None = None,
    prefetch: int = 2,
    device: torch.device | str | None = None,
    subset: str | Sequence[str] | None = None,
    selection: "Ids | None" = None,
    exclude: "Ids | None" = None,
    max_bad_fraction: float = 0.05,
    stream_options: Mapping[str, Any] | None = None,
) -> "Loader":
    """Load batches of images and tokens for a model of open_clip.

    A sample whose image cannot be decoded is replaced by the next of its lane that can, as one that cannot be read is;
    `stats["bad_samples"]` counts both, `problems` has shard, member and offset.

    Args:
        source: What `biomedica.stream` takes: a dataset, shards, globs, brace lists, or a mapping of these to weights.
        batch_size: Samples a batch, of this process.
        image_size: Width and height of the images.
        decoder: `rust` decodes on the CPU, `dali` on the GPU, `dali-cpu` by DALI on the CPU; `auto` is `dali` where
            there is a CUDA device and DALI is installed, else `rust`.
        tokenizer: The model whose tokenizer it is, as `open_clip.get_tokenizer` takes it; or a callable from texts to
            ids; or None: then batches have the captions themselves.
        context_length: Tokens a caption has at most, if not what the tokenizer says.
        caption_choice: Probabilities of the texts that stand for an image: its `caption`, one of its `panel`s, or a
            `mention` in the article; such as `caption=0.8,mention=0.2`. A sample without the kind gives its caption.
        train: Samples shuffled, random crops, whole batches only; every process has as many samples. Else every sample
            once and in order, whole images resized and cropped at their centre, and a last batch that may be short; one
            process may have a sample more than another.
        seed: Of the order, of crops and of caption choices.
        rank: The number of this process.
        world_size: The number of processes.
        scale: Share of the area that a random crop has.
        ratio: Width over height of a random crop.
        mean: Of each channel.
        std: Of each channel.
        interpolation: `bicubic` or `bilinear`.
        fit: Outside training: what fills the square, the image's `shortest` or `longest` side, or both (`squash`).
        flip: Mirror every other image in training.
        preprocess_cfg: Of a model (`model.visual.preprocess_cfg`): its size, mean, standard deviation, interpolation
            and fit stand in place of those above.
        threads: Threads that decode; this process's share of the cores when not given.
        prefetch: Batches that are kept ready.
        device: Where batches go; the current CUDA device where there is one, else they stay in host memory.
        subset: Of a dataset, only these licence subsets.
        selection: Only these samples, as `biomedica.stream` takes them: such as what `biomedica.select` gave.
        exclude: Not these samples: such as the `blocked.parquet` of `biomedica.leaks`.
        max_bad_fraction: More bad samples than this share end the run.
        stream_options: Others of `biomedica.stream`: `lanes`, `block`, `window`, `read_ahead`, `keep`.

    Returns:
        An iterable of (images, tokens): float32 [batch, 3, size, size] and int64 [batch, context length].

    Raises:
        SourceNotFoundError: There is no such source.
        ValueError: An argument makes no sense.
        ModuleNotFoundError: open_clip, `tokenizers` or DALI is missing; the message says which extra has it.

    Example:
        >>> import biomedica as bm
        >>> batches = bm.loader("dataset/", batch_size=256, seed=1)  # doctest: +SKIP
        >>> for images, tokens in batches:  # doctest: +SKIP
        ...     loss = step(model, images, tokens)
    """
    for name, value in (("batch_size", batch_size), ("prefetch", prefetch)):
        if value < 1:
            raise ValueError(f"{name} is {value}, but must be 1 or more")
    transform = Transform(
        image_size=image_size, train=train, scale=scale, ratio=ratio, mean=mean, std=std,
        interpolation=interpolation, fit=fit, flip=flip and train,
    )  # fmt: skip
    if preprocess_cfg is not None:
        transform = transform.with_config(preprocess_cfg)
    where = _device(device)
    chosen = choose_decoder(decoder)
    pixels = open_pixels(chosen, transform, batch_size, decoding_threads(threads), prefetch, where)
    tokens = None if tokenizer is None else get_tokenizer(tokenizer, context_length=context_length)
    captions = Captions(caption_choice)
    stream: Stream[Any] = open_stream(
        source, seed=seed, shuffle=train, rank=rank, world_size=world_size, drop_last=train,
        subset=subset, selection=selection, exclude=exclude, max_bad_fraction=max_bad_fraction, **(stream_options or {}),
    )  # fmt: skip
    mover = CudaDevice(where) if where.type == "cuda" else HostDevice()
    return Loader(
        Batches(stream, pixels, tokens, captions, mover, batch_size, whole=train, world_size=world_size), prefetch
    )


class Loader:
    """Batches of a stream, made ahead; `biomedica.loader` makes one. Not for several threads at once.

    One `iter()` is the rest of an epoch, or the next epoch when that one is over. A loop that is left early can be taken
    up again: nothing that was made ahead is lost or repeated.
    """

    def __init__(self, batches: Batches[Any], prefetch: int) -> None:
        self._batches = batches
        self._prefetch = prefetch
        self._progress = _Progress(batches.stream.state_dict())
        self._epoch: weakref.ref[_Epoch] | None = None
        self._is_closed = False
        self._missing = batches.stream.stats.get("missing_samples", 0)

    def __len__(self) -> int:
        """Batches of a whole epoch.

        Raises:
            TypeError: It is not known: the shards have no index.
        """
        samples, size = len(self._batches.stream), self._batches.batch_size
        return samples // size if self._batches.whole else -(-samples // size)

    def __iter__(self) -> Iterator[Batch]:
        """The rest of the epoch; the next epoch, if this one is over."""
        if self._is_closed:
            raise ValueError("this loader is closed; call biomedica.loader again")
        self._stop()
        if self._progress.is_over:
            iter(self._batches.stream)  # begins the next epoch
            self._stand_at(self._batches.stream.state_dict())
        batches = Ahead(self._batches.after(self._progress.state), self._prefetch, name="biomedica.loader")
        epoch = _Epoch(self._progress, batches)
        self._epoch = weakref.ref(epoch)
        return epoch

    def state_dict(self) -> dict[str, Any]:
        """Where it stands after the last batch that was handed out, whatever was made ahead: a few numbers.

        It can be loaded with another batch size, and with another number of processes and threads.
        """
        return dict(self._progress.state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken. Its seed holds from now on.

        Raises:
            ValueError: It is the state of other shards, or none.
        """
        self._stop()
        self._batches.stream.load_state_dict(dict(state))
        self._stand_at(dict(state))

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch; within the one at hand it stays where it is."""
        self._stop()
        if epoch != self._progress.state["epoch"] or self._progress.is_over:
            self._batches.stream.set_epoch(epoch)
            self._stand_at(self._batches.stream.state_dict())

    @property
    def stats(self) -> dict[str, float]:
        """Counts of the batches handed out since it was made.

        Returns:
            `wait_seconds` in which a batch was wanted and none was ready; `samples`; `bad_samples` that were replaced;
            `captions` and, of them, `truncated_captions`; `from_caption`, `from_panel` and `from_mention`; and
            `missing_samples`, those of its selection that no shard has.
        """
        names = ("samples", "bad_samples", "captions", "truncated_captions", *(f"from_{kind}" for kind in KINDS))
        counts = {name: self._progress.counts[name] for name in names}
        return {"wait_seconds": self._progress.waited, **counts, "missing_samples": self._missing}

    @property
    def problems(self) -> tuple[Exception, ...]:
        """Samples that could not be used, as errors with shard, member and offset; those of batches made ahead too."""
        return tuple(self._batches.stream.problems)

    def close(self) -> None:
        """End its thread, and those of the stream."""
        self._is_closed = True
        self._end_epoch()
        self._batches.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stand_at(self, state: dict[str, Any]) -> None:
        self._progress.state = state
        self._progress.is_over = False

    def _stop(self) -> None:
        """End the epoch at hand, and set the stream back to the last batch that was handed out."""
        if self._epoch is None:
            return
        self._end_epoch()
        if not self._progress.is_over:
            self._batches.stream.load_state_dict(self._progress.state)

    def _end_epoch(self) -> None:
        # An iterator that was dropped has ended its thread by itself.
        epoch = self._epoch() if self._epoch is not None else None
        if epoch is not None:
            epoch.close()
        self._epoch = None


@dataclass(slots=True)
class _Progress:
    """What was handed out: shared by a loader and the epoch it is in."""

    state: dict[str, Any]
    is_over: bool = False
    waited: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


class _Epoch:
    """The batches of an epoch, or of what is left of it."""

    def __init__(self, progress: _Progress, ahead: "Ahead[Made]") -> None:
        self._progress = progress
        self._ahead = ahead
        self.close = weakref.finalize(self, ahead.close)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        progress = self._progress
        begin = time.perf_counter()
        try:
            made = next(self._ahead)
        except BaseException:
            # An error of the thread, or Ctrl-C: nothing comes after it.
            self.close()
            raise
        finally:
            progress.waited += time.perf_counter() - begin
        progress.state = made.state
        progress.counts.update(made.counts)
        batch = made.batch()
        if batch is None:
            progress.is_over = True
            self.close()
            raise StopIteration
        return batch


def _device(device: torch.device | str | None) -> torch.device:
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(device)
    return torch.device("cuda", torch.cuda.current_device()) if str(where) == "cuda" else where
