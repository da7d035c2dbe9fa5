"""What made a dataset's features, to make those of other images."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from biomedica.concepts.descriptor import COLOR_TEXTURE, Descriptor
from biomedica.concepts.features import identity
from biomedica.evaluation.targets import Embedder
from biomedica.exceptions import ModelError

__all__ = ["embedder_of"]


@contextlib.contextmanager
def embedder_of(
    record: dict[str, Any], weights: "str | os.PathLike[str] | None", threads: int | None
) -> Iterator[Embedder]:
    """The model of features of images.

    Args:
        record: What the features say of their model.
        weights: Its weights, as `embed` takes them, where its hub does not have them.
        threads: Threads that decode.

    Raises:
        ModelError: It cannot be had, or its weights are others.
    """
    if record.get("input") != "image":
        raise ModelError("these features are of captions; test images have none")
    if record.get("model") == COLOR_TEXTURE:
        yield _same(Descriptor(threads), record)
        return
    try:
        from biomedica.concepts.encoder import Weights, open_encoder
        from biomedica.train.distributed import joined
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("features need torch: pip install 'biomedica[concepts]'", name=error.name) from error
    source = Weights(None if weights is None else os.fspath(weights))
    with joined("auto", "fp32") as world:
        encoder = open_encoder(
            str(record.get("model")), source, world.device, image_size=record.get("image_size"), threads=threads
        )
        yield _same(encoder, record)


def _same(encoder: Any, record: dict[str, Any]) -> Embedder:  # noqa: ANN401 - any that has a record
    for key, value in identity(encoder.record).items():
        if record.get(key) != value:
            raise ModelError(
                f"the dataset's features were made with {key} {record.get(key)!r}, not {value!r}; pass the weights of then"
            )
    made: Embedder = encoder
    return made
