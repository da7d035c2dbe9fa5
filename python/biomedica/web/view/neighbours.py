"""Images near to an image by their features: the cosine with all, or with a sample that memory has room for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._sidecar import Part, fresh_files
from biomedica.concepts.features import DEFAULT_MODEL, checked_name, read_record
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Near", "Neighbours"]

ROOM = 1 << 29
"""Bytes of features in memory."""
COLUMN = "features"


@dataclass(frozen=True, slots=True)
class Near:
    """A neighbour."""

    image_id: str
    cosine: float


class Neighbours:
    """The features of a dataset.

    Args:
        dataset: Whose.
        name: Of the features; by default those that the clusters are of, else those of `embed`'s default model.
        clusters: The name of the clusters.

    Attributes:
        absent: Why there are none, with the command that makes them.
        held: Images that are compared with.
        total: Images with features; where not all are held, all figures.
    """

    def __init__(self, dataset: Dataset, name: str | None = None, clusters: str = "default") -> None:
        self._dataset = dataset
        record = read_record(dataset.storage, f"clusters/{clusters}") or {}
        self.name = checked_name(name or record.get("features") or DEFAULT_MODEL)
        self._folder = f"features/{self.name}"
        self._parts = [Part(*part) for part in dataset.parts_of("figures")]
        self._files = fresh_files(dataset.storage, self._folder, self._parts)
        self.absent: str | None = None
        self.held = self.total = 0
        if self._files:
            self._hold()
        elif name is None:
            self.absent = f"{dataset.location} has no {self._folder}; `biomedica embed` makes them"
        else:
            raise DatasetError(f"{dataset.location} has no features {name} of the dataset as it is")

    def of(self, image_id: str, part: int, count: int = 12) -> list[Near]:
        """The nearest images to one of a part, the nearest first; none where it has no features."""
        if not self.held:
            return []
        place = self._places.get(image_id)
        wanted = self._unit[place] if place is not None else self._read_one(image_id, part)
        if wanted is None:
            return []
        cosines = self._unit @ wanted
        some = np.argpartition(-cosines, min(count, self.held - 1))[: count + 1]
        best = some[np.argsort(-cosines[some], kind="stable")]
        return [
            Near(self._ids[at].as_py(), float(cosines[at])) for at in best.tolist() if self._ids[at].as_py() != image_id
        ][:count]

    def _hold(self) -> None:
        """Read features: all of them, or those of parts spread over the dataset."""
        paths = list(self._files.values())
        rows = [fragment.count_rows() for fragment in self._dataset.storage.table(paths).get_fragments()]
        schema = self._dataset.storage.table(paths[:1]).schema
        if COLUMN not in schema.names or not pa.types.is_fixed_size_list(schema.field(COLUMN).type):
            raise DatasetError(f"{self._dataset.location}: {self._folder} has no column {COLUMN} of vectors")
        most = max(ROOM // (4 * schema.field(COLUMN).type.list_size), 1)
        self.total = sum(rows)
        every = max(1, -(-self.total // most))
        ids, vectors = [], []
        left = most
        for path in paths[::every]:
            known, found = self._vectors(path)
            ids.append(known.slice(0, left))
            vectors.append(found[:left])
            left -= len(found)
            if left <= 0:
                break
        self._ids = pa.chunked_array(ids).combine_chunks()
        self._unit = np.concatenate(vectors)
        self._places = {image: at for at, image in enumerate(self._ids.to_pylist())}
        self.held = len(self._ids)
        if every == 1:
            self.total = self.held

    def _vectors(self, path: str, only: str | None = None) -> tuple[pa.Array, "NDArray[np.float32]"]:
        """Ids, and their features scaled to length one; images without features are left out."""
        chosen: Any = pc.field(COLUMN).is_valid()
        if only is not None:
            chosen = chosen & (pc.field("image_id") == only)
        try:
            table = self._dataset.storage.table([path]).to_table(columns=["image_id", COLUMN], filter=chosen)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{path}: cannot be read; embed again: {error}") from error
        column = table[COLUMN].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        vectors = flat.astype(np.float32).reshape(len(column), column.type.list_size)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return table["image_id"].combine_chunks(), vectors

    def _read_one(self, image_id: str, part: int) -> "NDArray[np.float32] | None":
        """The features of an image that is not in memory."""
        path = self._files.get(f"{part:06}")
        if self.held == self.total or path is None:
            return None
        _, found = self._vectors(path, image_id)
        return np.asarray(found[0]) if len(found) else None
