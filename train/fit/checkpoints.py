"""Checkpoints: the state of a training on disk after every epoch, so that it is continued exactly after a kill."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray[Any]]

STATE_FILE: Final = "state.json"


@dataclass(slots=True)
class Epoch:
    """Figures of one epoch: a pass over the training images."""

    phase: str
    epoch: int
    """From 1 within the phase."""
    loss: float
    """Mean over the training images as they were shown, with smoothing, class weights and penalties."""
    accuracy: float
    val_loss: float
    """Mean cross-entropy of the validation images as they are."""
    val_accuracy: float
    learning_rate: float
    seconds: float


def merit(epoch: Epoch, best_by: str) -> float:
    """What makes an epoch better than another: higher is better. best_by: as the setting says it."""
    return epoch.val_accuracy if best_by == "val_accuracy" else -epoch.val_loss


@dataclass(slots=True)
class State:
    """State of a training, without its arrays and its settings."""

    phase: int = 0
    epoch: int = 0
    """Finished epochs of that phase."""
    is_phase_over: bool = False
    history: list[Epoch] = field(default_factory=list)
    best: float | None = None
    """The best value so far of what decides, higher is better."""
    best_at: int = 0
    """Position in the history of the epoch that gave it."""
    waited: int = 0
    """Epochs of this phase since the last better one."""
    rate_factor: float = 1.0
    """What `plateau` has made of the learning rate."""
    since_cut: int = 0
    """Epochs since the last better one or the last cut by `plateau`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that always holds one whole state, or none."""

    folder: Path

    def save(self, state: State, **arrays: Sequence[NDArray[Any]]) -> None:
        """Replace what is there at once; empty groups of arrays are left as they were."""
        self.folder.mkdir(parents=True, exist_ok=True)
        old = self._document()
        files = dict(old["files"]) if old else {}
        for name, values in arrays.items():
            if values:
                files[name] = f"{name}-{len(state.history):05d}-{state.phase}.npz"
                with (self.folder / files[name]).open("wb") as stream:
                    np.savez(stream, *values)
        staged = self.folder / f"{STATE_FILE}.tmp"
        staged.write_text(json.dumps({"state": asdict(state), "files": files}), encoding="utf-8")
        staged.replace(self.folder / STATE_FILE)
        for path in self.folder.glob("*.npz"):
            if path.name not in files.values():
                path.unlink()

    def load(self) -> tuple[State, dict[str, Arrays]] | None:
        """What was saved last; None where nothing was."""
        document = self._document()
        if document is None:
            return None
        content = document["state"]
        content["history"] = [Epoch(**row) for row in content["history"]]
        return State(**content), {name: self._arrays(file) for name, file in document["files"].items()}

    def _document(self) -> dict[str, Any] | None:
        path = self.folder / STATE_FILE
        if not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _arrays(self, file: str) -> Arrays:
        with np.load(self.folder / file, allow_pickle=False) as archive:
            return [archive[f"arr_{at}"] for at in range(len(archive.files))]
