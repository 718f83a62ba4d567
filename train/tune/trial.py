"""One trial of a search: trains what the sampler proposes and writes down what came of it."""

import time
from typing import Any

from optuna import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState

from eoltag.errors import DataError
from train.fit.checkpoints import Epoch, merit
from train.settings import FitSettings
from train.tune.dimension import Parameter
from train.tune.runner import TrialRunner, failures, reason_of, scores
from train.tune.study import CUT_OFF, OUTCOME, SETTINGS, START, SearchStudy, outcome


def run_trial(record: SearchStudy, runner: TrialRunner, trial: Trial) -> float:
    """Train what the trial proposes; returns the metric. Raises TrialPruned, and what `failures` names."""
    try:
        found = _found(record, runner, trial)
    except failures() as problem:
        trial.set_user_attr(OUTCOME, {"reason": reason_of(problem)})
        raise
    trial.set_user_attr(OUTCOME, found)
    return float(found[record.search.file.metric])


def _found(record: SearchStudy, runner: TrialRunner, trial: Trial) -> dict[str, Any]:
    settings = record.search.compose(lambda parameter: _suggested(trial, parameter))
    searched = record.search.searched(settings)
    trial.set_user_attr(SETTINGS, searched)
    duplicate = next((other for other in record.ended if other.user_attrs.get(SETTINGS) == searched), None)
    if duplicate is not None:
        return _repeated(trial, duplicate)
    callback = PruningCallback(trial, settings, record.search.file.metric)
    try:
        return runner.train(settings, callback)
    except TrialPruned:
        trial.set_user_attr(OUTCOME, callback.so_far())
        raise


class PruningCallback:
    """Reports every epoch to the study; raises TrialPruned where the trial falls behind. A start is never pruned."""

    def __init__(self, trial: Trial, settings: FitSettings, metric: str) -> None:
        self.trial, self.best_by, self.metric = trial, settings.best_by, metric
        self.best: Epoch | None = None
        self.epochs = 0
        self.best_at = 0
        self.began = time.monotonic()

    def __call__(self, epoch: Epoch) -> bool:
        """After an epoch; False, since the training itself goes on."""
        self.epochs += 1
        if self.best is None or merit(epoch, self.best_by) > merit(self.best, self.best_by):
            self.best, self.best_at = epoch, self.epochs
        self.trial.report(getattr(self.best, self.metric), self.epochs)
        if START not in self.trial.user_attrs and self.trial.should_prune():
            raise TrialPruned
        return False

    def so_far(self) -> dict[str, Any]:
        """The scores of its best epoch."""
        assert self.best is not None
        return {
            "val_accuracy": self.best.val_accuracy,
            "val_loss": self.best.val_loss,
            "epochs": self.epochs,
            "best_epoch": self.best_at,
            "seconds": round(time.monotonic() - self.began, 1),
        }


def _repeated(trial: Trial, duplicate: FrozenTrial) -> dict[str, Any]:
    """What came of the trial with the same settings. Raises what it raised."""
    found = {**outcome(duplicate), "seconds": 0.0, "same_as": duplicate.number}
    for step, value in duplicate.intermediate_values.items():
        trial.report(value, step)
    if duplicate.state == TrialState.PRUNED:
        trial.set_user_attr(OUTCOME, found)
        raise TrialPruned
    if duplicate.state == TrialState.FAIL:
        raise DataError(f"{found.get('reason', CUT_OFF)} (the same settings as trial {duplicate.number})")
    return found


def _suggested(trial: Trial, parameter: Parameter) -> Any:
    """The trial's value of one parameter."""
    if parameter.choices:
        return parameter.decoded(trial.suggest_categorical(parameter.name, parameter.encoded))
    if parameter.is_whole:
        return trial.suggest_int(parameter.name, int(parameter.low), int(parameter.high), log=parameter.is_log)
    return trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.is_log)


def described(trial: FrozenTrial) -> str:
    """What came of a trial that has ended, as a line."""
    found = outcome(trial)
    if "same_as" in found:
        return f"the same as trial {found['same_as']}"
    early = f"ended early after {found['epochs']} epochs, " if trial.state == TrialState.PRUNED else ""
    settings = (
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in trial.user_attrs.get(SETTINGS, {}).items()
    )
    return ", ".join([early + scores(found), *settings])
