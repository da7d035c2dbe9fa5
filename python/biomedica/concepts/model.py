"""The model of clusters: the space of the components, and the centroids in it, as one file of safetensors."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biomedica.concepts.space import Space
from biomedica.exceptions import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica._storage import Storage

__all__ = ["MODEL", "Model"]

MODEL = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Model:
    """What assigns features to clusters."""

    space: Space
    centroids: "NDArray[np.float32]"
    """[k, components]"""

    def to_bytes(self) -> bytes:
        """The file: `mean` [dimension], `components` [components, dimension], `centroids` [k, components]."""
        from safetensors.numpy import save

        tensors = {"mean": self.space.mean, "components": self.space.components, "centroids": self.centroids}
        return bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))

    @classmethod
    def read(cls, files: "Storage", where: str, record: dict[str, Any]) -> "Model":
        """The model in a folder whose record is this.

        Raises:
            ModelError: The file is missing, damaged, or not the one that the record is of.
        """
        from safetensors.numpy import load

        path = f"{where}/{MODEL}"
        data = files.read(path)
        if data is None or hashlib.sha256(data).hexdigest() != record.get("sha256"):
            raise ModelError(
                f"{files.location(path)}: missing, or not the model that model.json is of; overwrite the clusters"
            )
        try:
            tensors = load(data)
            ratios = np.array(record["explained_variance_ratio"], np.float64)
            return cls(Space(tensors["mean"], tensors["components"], ratios), tensors["centroids"])
        except Exception as error:  # safetensors has errors of its own
            raise ModelError(f"{files.location(path)}: damaged: {error}") from error
