"""The record of a search, kept by Optuna in a journal of JSON lines, so that it goes on after whatever ended it."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from eoltag.errors import OutputError, SettingsError
from train.cli import say
from train.settings import FitSettings
from train.tune.dimension import Parameter
from train.tune.space import Search

JOURNAL_FILE: Final = "journal.jsonl"
BEGUN_FILE: Final = "begun.json"
STAGED_FILE: Final = "begun.tmp"
LOCK_FILE: Final = ".lock"
NAME: Final = "tune"

ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
CUT_OFF: Final = "cut off: the process was killed, or the machine went down"


@dataclass(frozen=True, slots=True)
class Record:
    """A study and what it searches. Every trial has a slot: its place in the order of proposals, kept by its retry."""

    folder: Path
    search: Search
    study: optuna.Study

    @property
    def ended(self) -> list[FrozenTrial]:
        """Trials that are done, whatever came of them; what was cut off and tried again is left out."""
        trials = self.study.get_trials(deepcopy=False, states=ENDED)
        again = {trial.user_attrs["retry_of"] for trial in self.all if "retry_of" in trial.user_attrs}
        return [trial for trial in trials if trial.number not in again]

    @property
    def all(self) -> list[FrozenTrial]:
        """Every trial, oldest first."""
        return self.study.get_trials(deepcopy=False)

    def ask(self) -> Trial:
        """The next trial. The same record gives the same one, however often the search was begun anew."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        slots = [trial.user_attrs["slot"] for trial in self.all]
        slot = waiting[0].user_attrs["slot"] if waiting else max(slots, default=-1) + 1
        file, seed = self.search.file, self.search.base.seed
        # A sampler's chances are not in the journal: each slot has its own, or a search that goes on would propose
        # what it proposed at its beginning.
        chance = int.from_bytes(hashlib.sha256(f"{seed}/{slot}".encode()).digest()[:4], "big")
        self.study.sampler = optuna.samplers.TPESampler(seed=chance, n_startup_trials=file.startup_trials)
        trial = self.study.ask()
        if not waiting:
            trial.set_user_attr("slot", slot)
        return trial

    def best(self) -> FrozenTrial | None:
        """The completed trial with the best metric; where several are equal, the one with the lowest loss."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return min(done, key=self.rank, default=None)

    def base(self) -> FrozenTrial | None:
        """The completed trial of the base."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return next((trial for trial in done if trial.user_attrs["slot"] == 0), None)

    def rank(self, trial: FrozenTrial) -> tuple[float, float, int]:
        """Lower is better."""
        found = trial.user_attrs
        first = -found["val_accuracy"] if self.search.file.metric == "val_accuracy" else found["val_loss"]
        return first, found["val_loss"], trial.number


def suggested(trial: Trial, parameter: Parameter) -> Any:
    """The trial's value of one parameter."""
    if parameter.choices:
        return parameter.decoded(trial.suggest_categorical(parameter.name, parameter.encoded))
    if parameter.is_whole:
        return trial.suggest_int(parameter.name, int(parameter.low), int(parameter.high), log=parameter.is_log)
    return trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.is_log)


@contextmanager
def opened(folder: Path, search: Search, digest: str) -> Iterator[Record]:
    """The record in that folder, begun or gone on with; nobody else has it open. Raises OutputError, SettingsError.

    digest: of the images. What was cut off is marked as failed, and waits to be tried once more.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w", encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written ({problem.strerror})") from problem
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise OutputError(f"{folder}: another tune is at work there") from problem
        _check_begun(folder, search, digest)
        yield _open(folder, search)


def _open(folder: Path, search: Search) -> Record:
    path = folder / JOURNAL_FILE
    _cut_torn_line(path)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path), _Held(str(path)))),
        study_name=NAME,
        direction="maximize" if search.file.metric == "val_accuracy" else "minimize",
        pruner=_pruner(search),
        load_if_exists=True,
    )
    record = Record(folder, search, study)
    for slot, parameters in enumerate(search.starts):
        if all(trial.user_attrs["slot"] != slot for trial in record.all):
            study.enqueue_trial(_encoded(search, parameters), user_attrs={"slot": slot, "is_start": True})
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        _end_cut_off(study, trial)
    return record


def _end_cut_off(study: optuna.Study, trial: FrozenTrial) -> None:
    """The second time it stays failed: it may be what kills the process."""
    retries = [other for other in study.get_trials(deepcopy=False) if "retry_of" in other.user_attrs]
    is_new = not any(other.user_attrs["retry_of"] == trial.number for other in retries)
    if is_new and "retry_of" not in trial.user_attrs and "slot" in trial.user_attrs:
        kept: dict[str, Any] = {key: trial.user_attrs[key] for key in ("slot", "is_start") if key in trial.user_attrs}
        study.enqueue_trial(trial.params, user_attrs={**kept, "retry_of": trial.number})
        say(f"trial {trial.number} was cut off; it is tried once more")
    study.tell(trial.number, state=TrialState.FAIL)


def _encoded(search: Search, parameters: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        parameter.name: parameter
        for entries in search.dimensions.values()
        for entry in entries
        for parameter in entry.parameters
    }
    return {
        name: known[name].encoded[known[name].choices.index(value)] if known[name].choices else value
        for name, value in parameters.items()
    }


def _pruner(search: Search) -> optuna.pruners.BasePruner:
    file = search.file
    if file.pruner == "off":
        return optuna.pruners.NopPruner()
    if file.pruner == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=max(1, file.pruner_warmup_epochs))
    return optuna.pruners.MedianPruner(
        n_startup_trials=file.pruner_startup_trials, n_warmup_steps=file.pruner_warmup_epochs
    )


class _Held(JournalFileOpenLock):
    """The whole folder is locked already, by the system: a lock of files would outlive a process that is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _cut_torn_line(path: Path) -> None:
    """A process that was killed while it wrote leaves half a line, behind which nothing could be read."""
    if path.is_file():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)


def _check_begun(folder: Path, search: Search, digest: str) -> None:
    """Raises SettingsError where the search in that folder is another one."""
    wanted = _flat(_identity(search, digest))
    path = folder / BEGUN_FILE
    if not path.is_file():
        others = [found.name for found in folder.iterdir() if found.name not in (LOCK_FILE, STAGED_FILE)]
        if others:
            raise OutputError(f"{folder}: holds other files ({others[0]}) and no search; wanted a new or empty folder")
        staged = folder / STAGED_FILE
        staged.write_text(json.dumps(_identity(search, digest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        staged.replace(path)
        return
    begun = _flat(json.loads(path.read_text(encoding="utf-8")))
    for key in sorted({*begun, *wanted}):
        if begun.get(key) != wanted.get(key):
            raise SettingsError(
                f"{folder}: was begun with {key} = {_shown(begun, key)}, and goes on only with that. "
                f"Received: {_shown(wanted, key)}"
            )


def _identity(search: Search, digest: str) -> dict[str, Any]:
    """All that a result depends on."""
    return {
        **search.file.model_dump(mode="json", exclude={"base"}),
        "base": search.base.model_dump(mode="json"),
        "files": {key: _digest(search.base, key) for key in ("weights", "class_weights")},
        "images": digest,
    }


def _digest(settings: FitSettings, key: str) -> str | None:
    path = Path(getattr(settings, key))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _flat(content: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(content, dict) or not content:
        return {key: content}
    found = {}
    for name, value in content.items():
        found.update(_flat(value, f"{key}.{name}" if key else name))
    return found


def _shown(content: Mapping[str, Any], key: str) -> str:
    return json.dumps(content[key], ensure_ascii=False) if key in content else "nothing"
