"""The study of a search: an SQLite database kept by Optuna, so that a search is continued after whatever ended it."""

import hashlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from eoltag.errors import OutputError
from train.cli import log
from train.tune.identity import check_identity
from train.tune.space import SearchSpace

STUDY_FILE: Final = "study.db"
NAME: Final = "tune"
HEARTBEAT_S: Final = 1
"""How often a running trial tells the database that its process is alive."""
GRACE_S = 10
"""How long a trial without a heartbeat is taken for alive."""

START: Final = "start"
"""Attribute of a trial that was given: 0 for the base, 1 and more for the other starts."""
SETTINGS: Final = "settings"
"""Attribute of a trial: its searched settings, as plain JSON values."""
OUTCOME: Final = "outcome"
"""Attribute of a trial that has ended: its scores, or the reason why it has none."""

ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
CUT_OFF: Final = "cut off: the process was killed, or the machine went down"


@dataclass(frozen=True, slots=True)
class SearchStudy:
    """A study and what it searches."""

    folder: Path
    search: SearchSpace
    study: optuna.Study

    @property
    def ended(self) -> list[FrozenTrial]:
        """Trials that are done, whatever came of them; what was cut off and tried again is left out."""
        trials = self.study.get_trials(deepcopy=False)
        again = {number for trial in trials for number in retry_history(trial)}
        return [trial for trial in trials if trial.state in ENDED and trial.number not in again]

    @property
    def completed(self) -> list[FrozenTrial]:
        """Trials that were trained to their end."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def sampler(self) -> optuna.samplers.BaseSampler:
        """TPE for the next trial.

        Each has a seed of its own, since a sampler's state is not in the database: a search that is continued would
        else propose what it proposed at its beginning.
        """
        text = f"{self.search.base.seed}/{len(self.ended)}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.search.file.startup_trials)

    def best(self) -> FrozenTrial | None:
        """The completed trial with the best metric; where several are equal, the one with the lowest loss."""
        return min(self.completed, key=self.rank, default=None)

    def base(self) -> FrozenTrial | None:
        """The completed trial of the base."""
        return next(filter(is_base, self.completed), None)

    def rank(self, trial: FrozenTrial) -> tuple[float, float, int]:
        """Lower is better."""
        found = outcome(trial)
        first = -found["val_accuracy"] if self.search.file.metric == "val_accuracy" else found["val_loss"]
        return first, found["val_loss"], trial.number


def outcome(trial: FrozenTrial) -> dict[str, Any]:
    """What came of a trial; empty where its process was killed."""
    found: dict[str, Any] = trial.user_attrs.get(OUTCOME, {})
    return found


def is_base(trial: FrozenTrial) -> bool:
    """Whether its settings are those of [base]."""
    return trial.user_attrs.get(START) == 0


def retry_history(trial: FrozenTrial) -> list[int]:
    """Numbers of the trials that were cut off and are repeated by this one."""
    found: list[int] = trial.system_attrs.get("retry_history", [])
    return found


@contextmanager
def opened(folder: Path, search: SearchSpace, digest: str) -> Iterator[SearchStudy]:
    """The study in that folder, new or continued. Raises OutputError, SettingsError.

    digest: of the images. What was cut off is marked as failed, and waits to be tried once more.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder / STUDY_FILE
    _make_folder(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats may change in a later version of Optuna
        try:
            url = URL.create("sqlite", database=str(path)).render_as_string()
            storage = RDBStorage(url, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S)
        except SQLAlchemyError as problem:
            raise OutputError(
                f"{path}: wanted the database of a search ({getattr(problem, 'orig', problem)})"
            ) from None
        try:
            yield _open(folder, search, digest, storage)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _make_folder(folder: Path) -> None:
    """Raises OutputError where it holds anything but a search."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
        if names and STUDY_FILE not in names:
            raise OutputError(f"{folder}: holds other files ({names[0]}) and no {STUDY_FILE}; wanted a new folder")
        (folder / STUDY_FILE).touch()
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written ({problem.strerror})") from problem


def _open(folder: Path, search: SearchSpace, digest: str, storage: RDBStorage) -> SearchStudy:
    study = optuna.create_study(
        storage=storage,
        study_name=NAME,
        direction="maximize" if search.file.metric == "val_accuracy" else "minimize",
        pruner=_pruner(search),
        load_if_exists=True,
    )
    check_identity(study, search, digest, folder)
    record = SearchStudy(folder, search, study)
    _end_stale(record, storage)
    _retry_cut_off(record)
    given = {trial.user_attrs.get(START) for trial in study.get_trials(deepcopy=False)}
    for number, decoded in enumerate(search.starts):
        parameters = {
            known.name: known.encode(decoded[known.name]) for known in search.parameters if known.name in decoded
        }
        if number not in given:
            study.enqueue_trial(parameters, user_attrs={START: number})
    return record


def _end_stale(record: SearchStudy, storage: RDBStorage) -> None:
    """Marks as failed what was running when its process was killed. Raises OutputError where a process is alive."""
    study, running = record.study, (TrialState.RUNNING,)
    fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=running):
        storage.record_heartbeat(trial._trial_id)  # without a first one it would be taken for alive for ever
    deadline = time.monotonic() + GRACE_S + 3 * HEARTBEAT_S
    while study.get_trials(deepcopy=False, states=running):
        if time.monotonic() > deadline:
            raise OutputError(f"{record.folder}: another tune is at work there")
        time.sleep(HEARTBEAT_S / 2)
        fail_stale_trials(study)


def _retry_cut_off(record: SearchStudy) -> None:
    """Repeats what was cut off, once: the second time it stays failed, for it may be what kills the process."""
    for trial in record.ended:
        if trial.state == TrialState.FAIL and not outcome(trial) and not retry_history(trial):
            RetryHeartbeatStaleTrialCallback(max_retry=1)(record.study, trial)
            log(f"trial {trial.number} was cut off; it is tried once more")


def _pruner(search: SearchSpace) -> optuna.pruners.BasePruner:
    file = search.file
    if file.pruner == "off":
        return optuna.pruners.NopPruner()
    if file.pruner == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=max(1, file.pruner_warmup_epochs))
    return optuna.pruners.MedianPruner(
        n_startup_trials=file.pruner_startup_trials, n_warmup_steps=file.pruner_warmup_epochs
    )
