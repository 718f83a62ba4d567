"""Pickled parameters of decathloncanada/image-classification as a settings file for `fit`; no code in them is run.

Its searches leave `hyperparameters_search.pickle`: the best values, in the order of the dimensions that were searched.
"""

import pickle
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError, OutputError
from eoltag.settings import parse
from train.settings import FitSettings, write_settings

FOLDERS: Final = (
    "epochs", "hidden_size", "learning_rate", "dropout", "fine_tuning", "nb_layers", "activation",
    "include_class_weight",
)  # fmt: skip
"""The dimensions of its search over folders, in their order."""
TFRECORDS: Final = ("epochs", "hidden_size", "learning_rate", "dropout", "l2_lambda")
"""Those of its search over TFRecords."""

PICKLES: Final = (".pickle", ".pkl", ".dill")
LARGEST_BYTES: Final = 1_000_000
_NUMBERS: Final = r"[biuf][1248]|U\d{1,3}"
"""numpy's names for the kinds of numbers and texts that a list of parameters may hold."""


def import_parameters(source: Path, out: Path, *, overwrite: bool) -> dict[str, Any]:
    """Write the settings file; returns the summary. Raises DataError and OutputError."""
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: is there already; add --overwrite to replace it")
    found = _named(_plain(source), source)
    settings = parse(FitSettings, _settings(found), f"{source} as settings", DataError)
    header = (
        f"The parameters of {source.name}, which a search of decathloncanada/image-classification found:\n"
        + "".join(f"  {name} = {value}\n" for name, value in found.items())
        + "\npython -m train fit THIS_FILE --data photos --out models/mine"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_settings(settings, out, header)
    return {"out": str(out), "parameters": found, "settings": settings.model_dump(mode="json")}


def _settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same as settings of `fit`, with what its code fixed; see conf/train/tune_decathlon.toml for what differs."""
    is_folders = "nb_layers" in found
    rate, epochs = float(found["learning_rate"]), int(found["epochs"])
    settings = {
        "name": "decathlon",
        "epochs": epochs,
        "learning_rate": rate,
        "dropout": float(found["dropout"]),
        "architecture": "inception_v3" if is_folders else "efficientnet_b0",
        "batch_size": 20 if is_folders else 128,
        "head_units": [int(found["hidden_size"])] * int(found.get("nb_layers", 1)),
        "head_activation": str(found.get("activation", "swish")),
    }
    if is_folders:
        settings |= {"class_weights": "balanced" if found["include_class_weight"] else "off"}
        settings |= {"augmentation": "decathlon"}
    else:
        settings |= {"head_batch_norm": "before_activation", "l2": float(found["l2_lambda"])}
    if found.get("fine_tuning", True):
        settings |= {
            "fine_tune_from": "mixed9" if is_folders else "block6a",
            "fine_tune_epochs": epochs,
            "fine_tune_learning_rate": rate / 10,
        }
    return settings


def _named(values: Any, source: Path) -> dict[str, Any]:
    """Name -> value. Raises DataError for what is none of its lists."""
    if isinstance(values, dict):
        values = {str(name): value for name, value in values.items()}
        for names in (FOLDERS, TFRECORDS):
            if set(names) == set(values):
                return {name: values[name] for name in names}
    for names in (FOLDERS, TFRECORDS):
        if isinstance(values, list) and len(values) == len(names):
            return dict(zip(names, values, strict=True))
    came = f"{len(values)} values" if isinstance(values, (list, dict)) else repr(values)[:100]
    raise DataError(
        f"{source}: wanted the best values of a search, {len(FOLDERS)} ({', '.join(FOLDERS)}) or {len(TFRECORDS)} "
        f"({', '.join(TFRECORDS)}). Received: {came}"
    )


def _plain(source: Path) -> Any:
    """The lists, dictionaries, texts and numbers of a pickle. Raises DataError where it names anything else."""
    try:
        data = source.read_bytes()
    except OSError as problem:
        raise DataError(f"{source}: cannot be read ({problem.strerror})") from problem
    if len(data) > LARGEST_BYTES:
        raise DataError(f"{source}: wanted a list of parameters. Received: {len(data):,} bytes")
    try:
        return _PlainReader(BytesIO(data)).load()
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from problem
    except Exception as problem:  # a pickle that is cut short or made up can fail in any way
        raise DataError(f"{source}: cannot be read as pickled parameters ({problem})") from problem


class _PlainReader(pickle.Unpickler):
    """Reads plain values and numpy's numbers: the only functions that a file can call are those below."""

    def find_class(self, module: str, name: str) -> Callable[..., Any] | type:
        """The stand-in for what the file names. Raises DataError."""
        allowed: dict[str, Callable[..., Any] | type] = {
            "numpy.dtype": _Kind,
            "numpy.core.multiarray.scalar": _number,
            "numpy._core.multiarray.scalar": _number,
            "_codecs.encode": _encoded,
            "builtins.list": list,
            "builtins.dict": dict,
        }
        if f"{module}.{name}" not in allowed:
            raise DataError(f"names {module}.{name}, which would run code; only plain values are read")
        return allowed[f"{module}.{name}"]


class _Kind:
    """Stands for a numpy dtype: its name, and the order of its bytes."""

    def __init__(self, code: object, *_: object) -> None:
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"


def _number(kind: _Kind, raw: bytes) -> Any:
    if not re.fullmatch(_NUMBERS, kind.code):
        raise DataError(f"holds a numpy value of kind {kind.code!r}; wanted numbers and texts")
    return np.frombuffer(raw, np.dtype(kind.order + kind.code), 1)[0].item()


def _encoded(text: str, _: str = "latin1") -> bytes:
    """How old pickles write bytes."""
    return text.encode("latin1")
