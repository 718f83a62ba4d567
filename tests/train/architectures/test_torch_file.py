"""Files of torch.save without torch: numbers come out as they were, and whatever else a file holds is refused."""

import os
import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eoltag.errors import DataError
from train.architectures.torch_file import MAGIC, PROTOCOL, read_torch_file

FACTS = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def rebuild(*_: Any) -> None:
    """Stands for torch._utils._rebuild_tensor_v2."""


class FloatStorage:
    """Stands for torch.FloatStorage."""


class LongStorage:
    """Stands for torch.LongStorage."""


@pytest.fixture
def _torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Just enough of torch for pickle to name what torch.save names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in (FloatStorage, LongStorage):
        monkeypatch.setattr(kind, "__module__", "torch")
        setattr(torch, kind.__name__, kind)
    monkeypatch.setattr(rebuild, "__module__", "torch._utils")
    monkeypatch.setattr(rebuild, "__qualname__", "_rebuild_tensor_v2")
    monkeypatch.setattr(rebuild, "__name__", "_rebuild_tensor_v2")
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    torch._utils = utils  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


class Tensor:
    """What torch.save writes of a tensor: a storage by name, and where in it the tensor lies."""

    def __init__(self, storage: str, numbers: NDArray[Any], offset: int, shape: Any, strides: Any) -> None:
        self.storage, self.numbers = storage, numbers
        self.rest: tuple[Any, ...] = (offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return rebuild, (self.storage_of(), *self.rest)

    def storage_of(self) -> "Storage":
        return Storage(self.storage, self.numbers)


class Storage:
    def __init__(self, name: str, numbers: NDArray[Any]) -> None:
        self.name, self.numbers = name, numbers


class Saver(pickle.Pickler):
    """Writes storages by name, as torch does."""

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        kind = FloatStorage if obj.numbers.dtype == np.float32 else LongStorage
        return "storage", kind, obj.name, "cpu", len(obj.numbers), None


def save(path: Path, saved: Any, storages: dict[str, NDArray[Any]], magic: int = MAGIC) -> Path:
    """As torch.save wrote files before torch 1.6."""
    stream = BytesIO()
    for part in (magic, PROTOCOL, FACTS):
        pickle.dump(part, stream, protocol=2)
    Saver(stream, protocol=2).dump(saved)
    pickle.dump(list(storages), stream, protocol=2)
    for numbers in storages.values():
        stream.write(struct.pack("<q", len(numbers)) + numbers.tobytes())
    path.write_bytes(stream.getvalue())
    return path


NUMBERS = np.arange(24, dtype=np.float32)


@pytest.mark.usefixtures("_torch")
def test_tensors_of_any_order_and_kind_come_out_as_they_were(tmp_path: Path) -> None:
    count = np.array([7], np.int64)
    saved = OrderedDict(
        kernel=Tensor("1", NUMBERS, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor("1", NUMBERS, 0, (4, 3, 2), (1, 4, 12)),
        part=Tensor("1", NUMBERS, 20, (4,), (1,)),
        count=Tensor("2", count, 0, (), ()),
    )
    found = read_torch_file(save(tmp_path / "a.pth", saved, {"1": NUMBERS, "2": count}))
    assert list(found) == ["kernel", "turned", "part", "count"]
    np.testing.assert_array_equal(found["kernel"], NUMBERS.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], NUMBERS.reshape(2, 3, 4).T)
    assert found["part"].tolist() == [20, 21, 22, 23]
    assert (str(found["count"].dtype), found["count"].shape, int(found["count"])) == ("int64", (), 7)


class Harm:
    """Runs a command when it is read by pickle itself."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.usefixtures("_torch")
def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "harmed"
    saved = OrderedDict(a=Tensor("1", NUMBERS, 0, (24,), (1,)), b=Harm(target))
    path = save(tmp_path / "a.pth", saved, {"1": NUMBERS})
    with pytest.raises(DataError, match=r"a\.pth: names posix\.mkdir, which would run code; only tensors are read"):
        read_torch_file(path)
    assert not target.exists()


@pytest.mark.usefixtures("_torch")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: save(p, {"a": Tensor("1", NUMBERS, 1, (24,), (1,))}, {"1": NUMBERS}), "reaches beyond its storage"),
        (lambda p: save(p, {"a": Tensor("1", NUMBERS, 0, (2,), (-1,))}, {"1": NUMBERS}), "reaches beyond its storage"),
        (lambda p: save(p, {"a": Tensor("1", NUMBERS, 0, (2,), (1,))}, {"1": NUMBERS[:5]}), "wanted 24 numbers"),
        (lambda p: save(p, {"a": 5}, {}), "something else than tensors"),
        (lambda p: save(p, {}, {}, magic=5), "wanted a little-endian file of torch.save before torch 1.6"),
        (lambda p: p.write_bytes(b"PK\3\4 a newer file"), "cannot be read as a file of torch.save before torch 1.6"),
        (lambda p: p.mkdir(), "cannot be read (Is a directory)"),
        (lambda p: save(p, {"a": Tensor("1", NUMBERS, 0, (9_999_999,), (0,))}, {"1": NUMBERS}), "reaches beyond"),
    ],
)
def test_files_that_are_something_else_are_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    make(tmp_path / "a.pth")
    with pytest.raises(DataError) as refused:
        read_torch_file(tmp_path / "a.pth")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("_torch")
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", {"a": Tensor("1", NUMBERS, 0, (24,), (1,))}, {"1": NUMBERS})
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(DataError):
            read_torch_file(path)
