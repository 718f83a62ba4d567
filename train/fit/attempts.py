"""Numbered attempts: OUT/001, OUT/002, ...; each holds what a `fit` left, its model package in `package`."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, OutputError, SettingsError
from eoltag.model.attempts import CARD_FILE, PACKAGE_FOLDER, attempts
from eoltag.model.package import Package, read_package
from train.cli import log
from train.fit.checkpoints import Checkpoint, Epoch
from train.settings import FitSettings, read_fit_settings, write_settings

CONFIG_FILE: Final = "config.toml"
HISTORY_FILE: Final = "history.csv"
CURVES_FILE: Final = "curves.png"
TENSORBOARD_FOLDER: Final = "tensorboard"
CHECKPOINT_FOLDER: Final = "checkpoint"
STARTED_FILE: Final = "started.json"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One training, finished or not.

    config.toml (all settings, the seed too), started.json (which images), history.csv (a line per epoch), curves.png,
    tensorboard/ and package/; checkpoint/ while it can be gone on with.
    """

    folder: Path

    @property
    def package(self) -> Path:
        """The folder of the model package, there once training is finished."""
        return self.folder / PACKAGE_FOLDER

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the training."""
        return Checkpoint(self.folder / CHECKPOINT_FOLDER)

    @property
    def refit_checkpoint(self) -> Checkpoint:
        """The checkpoint of its refit."""
        return Checkpoint(self.folder / CHECKPOINT_FOLDER / "refit")

    @property
    def features(self) -> Path:
        """The folder of cached features, for resuming."""
        return self.folder / CHECKPOINT_FOLDER / "features"

    @property
    def begun_with(self) -> Path | None:
        """The package whose weights it started from; None where it started afresh."""
        begun: dict[str, str] = json.loads((self.folder / STARTED_FILE).read_text(encoding="utf-8"))
        return Path(begun["from"]) if "from" in begun else None

    def write_history(self, history: Sequence[Epoch]) -> None:
        """The whole of history.csv, replaced at once: a kill leaves the old one, not half of the new."""
        staged = self.folder / f"{HISTORY_FILE}.tmp"
        with staged.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, [field.name for field in fields(Epoch)], lineterminator="\n")
            table.writeheader()
            table.writerows(asdict(epoch) for epoch in history)
        staged.replace(self.folder / HISTORY_FILE)

    def close(self) -> None:
        """Removes what resuming would need."""
        shutil.rmtree(self.folder / CHECKPOINT_FOLDER, ignore_errors=True)


def start_attempt(
    out: Path, settings: FitSettings, source: str, digest: str, earlier: Package | None = None
) -> Attempt:
    """The next number below `out`. Raises OutputError.

    source: words of the command line that name the images. earlier: the package whose weights it starts from.
    """
    last = max((int(folder.name) for folder in attempts(out)), default=0)
    folder = out / f"{last + 1:03d}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        (folder / CHECKPOINT_FOLDER).mkdir()
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written ({problem.strerror})") from problem
    write_settings(settings, folder / CONFIG_FILE, f"python -m train fit THIS_FILE {source} --out {out}")
    started = {"data": source, "data_digest": digest}
    if earlier is not None:
        started |= {"from": str(earlier.path), "from_version": earlier.version}
    (folder / STARTED_FILE).write_text(json.dumps(started, indent=2) + "\n", encoding="utf-8")
    return Attempt(folder)


def unfinished_attempt(out: Path, settings: FitSettings) -> Attempt:
    """The newest attempt that was not ended, begun with these settings. Raises OutputError, SettingsError."""
    found = [folder for folder in attempts(out) if (folder / CHECKPOINT_FOLDER).is_dir()]
    if not found:
        raise OutputError(f"{out}: no attempt to go on with; leave --resume away to begin one")
    begun = read_fit_settings(found[-1] / CONFIG_FILE)
    for key in type(settings).model_fields:
        wanted, came = getattr(begun, key), getattr(settings, key)
        if wanted != came:
            raise SettingsError(
                f"{found[-1]}: was begun with {key} = {wanted!r}, and goes on only with that. Received: {came!r}"
            )
    return Attempt(found[-1])


def check_same_images(attempt: Attempt, digest: str) -> None:
    """Raises DataError where an attempt began with other images."""
    begun: dict[str, Any] = json.loads((attempt.folder / STARTED_FILE).read_text(encoding="utf-8"))
    if begun["data_digest"] != digest:
        raise DataError(f"{attempt.folder}: began with other images ({begun['data']}); leave --resume away")


def check_out(out: Path, data: Path | None = None) -> None:
    """Raises OutputError where attempts may not be written to `out`. data: a folder of classes, if there is one."""
    if data is not None and out.resolve().is_relative_to(data.resolve()):
        raise OutputError(f"{out}: lies in the data folder {data}, where the next fit would take it for a label")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: wanted a folder for attempts, found a file")
    if (out / CARD_FILE).is_file():
        raise OutputError(f"{out}: is a model package itself; wanted a folder for attempts")


def find_package(path: Path) -> Package:
    """The package at `path`: a package, an attempt, or a folder of attempts, of which the chosen one is meant.

    Says which attempt that is. Raises PackageError.
    """
    package = read_package(path)
    if package.path != path:
        log(f"{path}: taking {package.path}, model version {package.version}")
    return package
