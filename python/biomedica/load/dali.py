"""Decoding by NVIDIA DALI: on the GPU, or by the same graph on the CPU.

It takes the JPEGs that any decoder reads, and the core's own decoder all the rest: other formats, colours that DALI takes
for others, and what is broken, since one bad image would fail DALI's whole batch. The core also decides the crops, so
that an image and a seed are the same picture whichever decoder makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.utils.dlpack

from biomedica._core import Decoder
from biomedica.load.transform import OPENAI_MEAN, OPENAI_STD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

__all__ = ["DaliDecoder", "graph"]


class DaliDecoder:
    """Decodes batches to tensors on `device`, to what `biomedica._core.Decoder` gives within a small tolerance.

    Args:
        image_size: Width and height of the output.
        device: Where images are decoded and the tensors are: `cuda`, `cuda:N` or `cpu`.
        batch_size: The most images of a batch.
        train: Random resized crops; else the whole image, its shorter side resized and its middle cropped.
        scale: Bounds of a random crop's share of the area.
        ratio: Bounds of a random crop's width over height.
        mean: Subtracted from the channels, which run from 0 to 1.
        std: What they are divided by after that.
        interpolation: How pixels are made of pixels; both look at all that they shrink.
        flip: Mirror every second image that is trained on.
        threads: Threads on the CPU.

    Raises:
        ImportError: DALI is not installed.
        ValueError: An option is out of its bounds, or there is no such device.
    """

    def __init__(
        self,
        image_size: int = 224,
        *,
        device: str | torch.device = "cuda",
        batch_size: int = 256,
        train: bool = True,
        scale: tuple[float, float] = (0.9, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        mean: Sequence[float] = OPENAI_MEAN,
        std: Sequence[float] = OPENAI_STD,
        interpolation: Literal["bicubic", "bilinear"] = "bicubic",
        flip: bool = False,
        threads: int | None = None,
    ) -> None:
        self.device = torch.device(device)
        if self.device.type not in {"cpu", "cuda"}:
            raise ValueError(f"DALI decodes on cuda or cpu, not on {self.device}")
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                "there is no CUDA device here; use device='cpu', or the core's own decoder, which is faster"
            )
        self.image_size = image_size
        self._batch_size = batch_size
        self._train = train
        self._core = Decoder(
            image_size,
            train=train,
            scale=scale,
            ratio=ratio,
            mean=mean,
            std=std,
            interpolation=interpolation,
            flip=flip,
            threads=threads,
        )
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "image_size": image_size,
            "train": train,
            "mean": mean,
            "std": std,
            "interpolation": interpolation,
            "threads": self._core.threads,
        }
        self._pipeline = graph(self.device, **self._options)

    def __repr__(self) -> str:
        return f"DaliDecoder({self.image_size}, device={str(self.device)!r}, train={self._train})"

    def decode_batch(
        self, images: Sequence[Buffer], seeds: Sequence[int], out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        """Decode each image into its slot of a tensor on the device.

        Args:
            images: Objects with contiguous bytes, which are not copied. Nobody may write to them meanwhile.
            seeds: One for each image; they decide the random crops and the flips.
            out: A contiguous float32 tensor on the device to use; by default a new one.

        Returns:
            The tensor of shape (len(images), 3, image_size, image_size), and index and message of each image that cannot
            be decoded, in their order; their slots are zero.

        Raises:
            ValueError: There are more images than `batch_size`, or `out` does not fit them.
        """
        shape = (len(images), 3, self.image_size, self.image_size)
        if len(images) > self._batch_size:
            raise ValueError(f"a batch of {len(images)} images, more than the batch_size of {self._batch_size}")
        if out is None:
            out = torch.empty(shape, dtype=torch.float32, device=self.device)
        elif out.shape != shape or out.dtype != torch.float32 or out.device.type != self.device.type:
            raise ValueError(f"out must be float32 of shape {shape} on {self.device}")
        views = self._core.jpeg_views(images, seeds)
        common = [index for index, view in enumerate(views) if view is not None]
        try:
            if common:
                pixels = self._run([images[index] for index in common], [views[index] for index in common])
                if len(common) == len(images):
                    out.copy_(pixels)
                else:
                    out[torch.tensor(common, device=self.device)] = pixels
                if out.is_cuda:
                    # DALI takes its memory back when `pixels` is gone, and knows nothing of this thread's stream.
                    torch.cuda.current_stream(out.device).synchronize()
        except RuntimeError:
            # DALI does not say which image it is, and its pipeline is of no more use.
            self._pipeline = graph(self.device, **self._options)
            common = []
        others = sorted(set(range(len(images))) - set(common))
        return out, self._decode_by_core(images, seeds, others, out)

    def _run(self, images: list[Buffer], views: list[Any]) -> torch.Tensor:
        windows = np.array([window for window, _ in views], np.float32).reshape(-1, 2, 2)[:, :, ::-1]
        kind = np.int32 if self._train else np.float32
        starts, shapes = (np.ascontiguousarray(windows[:, row], kind) for row in range(2))
        inputs: dict[str, list[NDArray[Any]]] = {
            "images": [np.asarray(memoryview(image)) for image in images],
            "start": list(starts),
            "extent": list(shapes if self._train else starts + shapes),
            "mirror": [np.array(flip, np.int32) for _, flip in views],
        }
        for name, values in inputs.items():
            self._pipeline.feed_input(name, values)
        (result,) = self._pipeline.run()
        return torch.utils.dlpack.from_dlpack(result.as_tensor())

    def _decode_by_core(
        self, images: Sequence[Buffer], seeds: Sequence[int], indices: list[int], out: torch.Tensor
    ) -> list[tuple[int, str]]:
        if not indices:
            return []
        pixels = torch.empty((len(indices), *out.shape[1:]), dtype=torch.float32)
        failed = self._core.decode_batch(
            [images[index] for index in indices], [seeds[index] for index in indices], pixels.numpy()
        )
        out[torch.tensor(indices, device=out.device)] = pixels.to(out.device)
        return [(indices[place], message) for place, message in failed]


def graph(
    device: torch.device,
    *,
    batch_size: int,
    image_size: int,
    train: bool,
    mean: Sequence[float],
    std: Sequence[float],
    interpolation: str,
    threads: int,
) -> Any:  # noqa: ANN401 - of a package that need not be there
    """Build the pipeline: from `images`, `start`, `extent` and `mirror` to normalised pixels on `device`.

    A crop that is resized sees nothing but itself: it is cropped while it is decoded. A resized image that is cropped
    does: there the crop is the region that the resizing looks at.
    """
    from nvidia.dali import fn, types
    from nvidia.dali.pipeline import Pipeline

    is_gpu = device.type == "cuda"
    pipeline = Pipeline(
        batch_size=batch_size,
        num_threads=threads,
        device_id=(device.index if device.index is not None else torch.cuda.current_device()) if is_gpu else None,
        prefetch_queue_depth=1,
    )
    decoding = "mixed" if is_gpu else "cpu"
    with pipeline:
        encoded = fn.external_source(name="images", device="cpu", no_copy=True)
        start = fn.external_source(name="start", device="cpu")
        extent = fn.external_source(name="extent", device="cpu")
        mirror = fn.external_source(name="mirror", device="cpu")
        if train:
            decoded = fn.decoders.image_slice(encoded, start=start, shape=extent, axis_names="HW", device=decoding)
            region = {}
        else:
            decoded = fn.decoders.image(encoded, device=decoding)
            region = {"roi_start": start, "roi_end": extent}
        resized = fn.resize(
            decoded,
            size=[image_size, image_size],
            interp_type=types.INTERP_CUBIC if interpolation == "bicubic" else types.INTERP_LINEAR,
            antialias=True,
            **region,
        )
        pixels = fn.crop_mirror_normalize(
            resized,
            mirror=mirror,
            mean=[255 * value for value in mean],
            std=[255 * value for value in std],
            dtype=types.FLOAT,
            output_layout="CHW",
        )
        pipeline.set_outputs(pixels)
    pipeline.build()
    return pipeline
