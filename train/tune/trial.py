"""One trial of a search: train what it proposes, write down what came of it."""

import time
from typing import Any

from optuna import TrialPruned
from optuna.trial import FrozenTrial, Trial, TrialState

from train.fit.checkpoints import Epoch
from train.settings import FitSettings
from train.tune.runner import Bench, failures, reason_of, scores
from train.tune.study import Record, suggested


def run_trial(record: Record, bench: Bench, trial: Trial) -> str:
    """Train what the trial proposes and write down what came of it; returns that as a line."""
    settings = record.search.compose(lambda parameter: suggested(trial, parameter))
    shown = record.search.searched(settings)
    trial.set_user_attr("settings", shown)
    twin = _twin(record, shown)
    if twin is not None:
        return _copy(record, trial, twin)
    watch = Watch(trial, settings, record.search.file.metric)
    try:
        found = bench.train(settings, watch)
    except TrialPruned:
        _write(trial, watch.so_far())
        record.study.tell(trial.number, state=TrialState.PRUNED)
        return f"ended early after {watch.epochs} epochs, {scores(watch.so_far())}, {_words(shown)}"
    except failures() as problem:
        _write(trial, {"reason": reason_of(problem)})
        record.study.tell(trial.number, state=TrialState.FAIL)
        return f"failed: {reason_of(problem)}, {_words(shown)}"
    _write(trial, found)
    record.study.tell(trial.number, found[record.search.file.metric])
    return f"{scores(found)}, {_words(shown)}"


class Watch:
    """Tells the study of every epoch; raises TrialPruned where the trial is not worth its time. A start never is."""

    def __init__(self, trial: Trial, settings: FitSettings, metric: str) -> None:
        self.trial, self.settings, self.metric = trial, settings, metric
        self.best: Epoch | None = None
        self.epochs = 0
        self.best_at = 0
        self.began = time.monotonic()

    def __call__(self, epoch: Epoch) -> bool:
        self.epochs += 1
        if self.best is None or self._merit(epoch) > self._merit(self.best):
            self.best, self.best_at = epoch, self.epochs
        self.trial.report(getattr(self.best, self.metric), self.epochs)
        if "is_start" not in self.trial.user_attrs and self.trial.should_prune():
            raise TrialPruned
        return False

    def _merit(self, epoch: Epoch) -> float:
        return epoch.val_accuracy if self.settings.best_by == "val_accuracy" else -epoch.val_loss

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


def _twin(record: Record, shown: dict[str, Any]) -> FrozenTrial | None:
    """A trial of the same settings, which would end the same."""
    return next((trial for trial in record.ended if trial.user_attrs.get("settings") == shown), None)


def _copy(record: Record, trial: Trial, twin: FrozenTrial) -> str:
    kept = ("val_accuracy", "val_loss", "epochs", "best_epoch", "parameters", "reason")
    _write(trial, {key: twin.user_attrs[key] for key in kept if key in twin.user_attrs})
    _write(trial, {"seconds": 0.0, "same_as": twin.number})
    for step, value in twin.intermediate_values.items():
        trial.report(value, step)
    record.study.tell(trial.number, twin.value if twin.state == TrialState.COMPLETE else None, state=twin.state)
    return f"the same as trial {twin.number}"


def _write(trial: Trial, found: dict[str, Any]) -> None:
    for key, value in found.items():
        trial.set_user_attr(key, value)


def _words(shown: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in shown.items()
    )
