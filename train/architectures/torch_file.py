"""Files of torch.save, read without torch: named arrays and nothing else; no code in a file is run.

Format of torch before 1.6: four pickles (a magic number, the version of the protocol, facts about the machine, the
saved object), then a pickled list of the names of storages, then each storage: its length as int64, its values.
"""

import math
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import DataError

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
LARGEST_BYTES: Final = 1_000_000_000

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What kind of number a storage holds."""

    dtype: str


class _Storage(NamedTuple):
    """A storage that a tensor takes its numbers from; they come later in the file."""

    name: str
    kind: _Kind
    length: int


class _Tensor(NamedTuple):
    """A tensor as the file describes it: where in its storage it begins, its shape, its steps."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_KNOWN: Final[dict[str, Callable[..., Any] | _Kind]] = {
    "collections.OrderedDict": OrderedDict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.FloatStorage": _Kind("<f4"),
    "torch.DoubleStorage": _Kind("<f8"),
    "torch.HalfStorage": _Kind("<f2"),
    "torch.LongStorage": _Kind("<i8"),
    "torch.IntStorage": _Kind("<i4"),
}
"""All that a file may name."""


class _Reader(pickle.Unpickler):
    """Reads plain values and descriptions of tensors: the only functions that a file can call are those of _KNOWN."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for what the file names. Raises DataError."""
        if f"{module}.{name}" not in _KNOWN:
            raise DataError(f"names {module}.{name}, which would run code; only tensors are read")
        return _KNOWN[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a tensor names. Raises DataError."""
        match pid:
            case ("storage", _Kind() as kind, str(name), str(), int(length), None):
                return _Storage(name, kind, length)
        raise DataError("holds something else than whole storages of numbers")


def read_torch_file(path: Path) -> Arrays:
    """Name -> array of a saved `state_dict`. Raises DataError where the file is anything else."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"wanted at most {LARGEST_BYTES:,} bytes")
        return _arrays(path.read_bytes())
    except DataError as problem:
        raise DataError(f"{path}: {problem}") from problem
    except OSError as problem:
        raise DataError(f"{path}: cannot be read ({problem.strerror})") from problem
    except Exception as problem:  # a pickle that is cut short or made up can fail in any way
        raise DataError(f"{path}: cannot be read as a file of torch.save before torch 1.6 ({problem})") from problem


def _arrays(data: bytes) -> Arrays:
    stream = BytesIO(data)
    magic, protocol, machine, saved, names = (_Reader(stream).load() for _ in range(5))
    if magic != MAGIC or protocol != PROTOCOL or not machine["little_endian"]:
        raise DataError("wanted a little-endian file of torch.save before torch 1.6")
    tensors = {name: tensor for name, tensor in saved.items() if isinstance(tensor, _Tensor)}
    if len(tensors) < len(saved):
        raise DataError("holds something else than tensors")
    kinds = {tensor.storage.name: tensor.storage for tensor in tensors.values()}
    storages = {name: _storage(stream, kinds[name]) for name in names}
    return {name: _array(tensor, storages[tensor.storage.name]) for name, tensor in tensors.items()}


def _storage(stream: BytesIO, wanted: _Storage) -> NDArray[Any]:
    (length,) = struct.unpack("<q", stream.read(8))
    if length != wanted.length:
        raise DataError(f"storage {wanted.name}: wanted {wanted.length:,} numbers. Received: {length:,}")
    dtype = np.dtype(wanted.kind.dtype)
    return np.frombuffer(stream.read(length * dtype.itemsize), dtype, length)


def _array(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    """The numbers of a tensor, which may lie in its storage in any order. Raises DataError for one that leaves it."""
    steps = [(side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True)]
    last = tensor.offset + sum(steps) if 0 not in tensor.shape else 0
    if (
        min(tensor.offset, *tensor.shape, *tensor.strides, 0) < 0
        or last >= len(storage)
        or math.prod(tensor.shape) > len(storage)  # no weight repeats its numbers
    ):
        raise DataError("holds a tensor that reaches beyond its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    found = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(found).reshape(tensor.shape)
