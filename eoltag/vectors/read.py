"""Parquet files of vectors, checked row by row, as one local Parquet file: key, vector (float16, little-endian)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eoltag.errors import DataError

Key = Literal["eolMediaURL", "identifier", "content_sha256"]
"""What names the image of a vector."""

KEYS: Final[dict[str, Key]] = {
    "eolmediaurl": "eolMediaURL",
    "url": "eolMediaURL",
    "identifier": "identifier",
    "content_sha256": "content_sha256",
    "sha256": "content_sha256",
}
"""Column in lower case -> what it names."""
VECTORS: Final = ("vector", "features", "embedding", "embeddings", "emb")
"""Columns that hold a vector, where none is named."""
STAGED: Final = pa.schema({"key": pa.string(), "vector": pa.binary()})
LARGEST: Final = 65_504.0
"""The largest number that float16 holds."""
_ROWS: Final = 8_192


@dataclass(frozen=True, slots=True)
class StagedVectors:
    """The vectors of an import, on the driver's disk."""

    path: Path
    key: Key
    length: int
    rows: int


def stage_vectors(files: Sequence[str], target: Path, column: str | None = None) -> StagedVectors:
    """Write the vectors of all files to `target`. Raises DataError, naming file and row.

    files: Parquet files or folders of such. column: that of the vectors; None: one of VECTORS.
    """
    key: Key | None = None
    length, rows = 0, 0
    with pq.ParquetWriter(target, STAGED, compression="zstd") as writer:
        for file in files:
            dataset = _open(file)
            key_column, vector_column = _key_column(dataset.schema, file), _vector_column(dataset.schema, file, column)
            if key is not None and KEYS[key_column.lower()] != key:
                raise DataError(f"{file}: wanted the key {key} as in {files[0]}. Received: {key_column}")
            key = KEYS[key_column.lower()]
            for batch in _batches(dataset, key_column, vector_column):
                keys, vectors = _checked(batch, file, length)
                length = vectors.shape[1]
                packed = [row.tobytes() for row in vectors.astype("<f2")]
                writer.write_batch(pa.record_batch([keys, pa.array(packed, pa.binary())], schema=STAGED))
                rows += len(packed)
    if key is None or not rows:
        raise DataError(f"{', '.join(files)}: wanted a vector. Received: none")
    return StagedVectors(target, key, length, rows)


def _open(file: str) -> Any:
    try:
        return ds.dataset(file, format="parquet")
    except (OSError, pa.ArrowInvalid) as problem:
        reason = str(problem).splitlines()[0]
        raise DataError(f"{file}: cannot be read as Parquet ({reason})") from problem


def _key_column(schema: pa.Schema, file: str) -> str:
    found: list[str] = [name for name in schema.names if name.lower() in KEYS]
    if not found:
        known = ", ".join(KEYS)
        raise DataError(f"{file}: wanted a column that names the image ({known}). Received: {', '.join(schema.names)}")
    return found[0]


def _vector_column(schema: pa.Schema, file: str, wanted: str | None) -> str:
    """The column of vectors. Raises DataError where there is none, or it holds something else."""
    names = [wanted] if wanted else [name for name in schema.names if name.lower() in VECTORS]
    if not names or names[0] not in schema.names:
        looked = wanted or f"one of {', '.join(VECTORS)}"
        raise DataError(f"{file}: wanted a column of vectors ({looked}). Received: {', '.join(schema.names)}")
    kind = schema.field(names[0]).type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{file}: column '{names[0]}': wanted lists of float16 or float32. Received: {kind}")
    return names[0]


def _batches(dataset: Any, key: str, vector: str) -> Iterator[pa.RecordBatch]:
    for batch in dataset.to_batches(columns=[key, vector], batch_size=_ROWS):
        if batch.num_rows:
            yield pa.record_batch([batch.column(key).cast(pa.string()), batch.column(vector)], names=["key", "vector"])


def _checked(batch: pa.RecordBatch, file: str, length: int) -> tuple[pa.Array, NDArray[Any]]:
    """Keys and vectors (N, D) of a batch. length: that of the vectors before; 0: there were none. Raises DataError."""
    keys, lists = batch.column("key"), batch.column("vector")
    if keys.null_count or lists.null_count:
        raise DataError(f"{file}: wanted a key and a vector in every row. Received: a null")
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    wanted = length or int(sizes[0])
    _refuse(sizes != wanted, keys, file, f"vectors of length {wanted}", lambda at: str(sizes[at]))
    if not wanted:
        raise DataError(f"{file}: row of {keys[0]}: wanted a vector. Received: an empty list")
    vectors = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(keys), wanted)
    with np.errstate(invalid="ignore"):
        is_bad = ~(np.abs(vectors.astype(np.float32)) <= LARGEST).all(axis=1)
    _refuse(is_bad, keys, file, f"numbers between -{LARGEST:g} and {LARGEST:g}", lambda at: _worst(vectors[at]))
    return keys, vectors


def _worst(vector: NDArray[Any]) -> str:
    """The first number of a vector that float16 does not hold."""
    with np.errstate(invalid="ignore"):
        return repr(float(vector[~(np.abs(vector.astype(np.float32)) <= LARGEST)][0]))


def _refuse(is_bad: NDArray[np.bool_], keys: pa.Array, file: str, wanted: str, came: Any) -> None:
    if is_bad.any():
        at = int(is_bad.argmax())
        raise DataError(f"{file}: row of {keys[at]}: wanted {wanted}. Received: {came(at)}")
