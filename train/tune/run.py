"""`tune`: trials of `fit` over a space of settings, without packages; the best one as a config for `fit`."""

import shutil
import time
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.trial import FrozenTrial
from tqdm import tqdm

from eoltag.errors import DataError
from train.cli import log, start_keras
from train.data.dataset import read_dataset, training_images
from train.fit.attempts import check_out
from train.fit.features import FeatureCache
from train.tune.confirm import confirm
from train.tune.report import write_progress, write_report
from train.tune.runner import TrialRunner, failures
from train.tune.space import SearchSpace
from train.tune.study import CUT_OFF, SearchStudy, opened, outcome
from train.tune.trial import described, run_trial

FEATURES_FOLDER: Final = "features"


def tune(
    search: SearchSpace, data: Path, out: Path, *, trials: int, timeout_s: float | None = None, confirm_seeds: int = 0
) -> dict[str, Any]:
    """Search until that many trials have ended, those of earlier calls counted; returns the summary.

    timeout_s: no trial begins after it. confirm_seeds: how many fresh seeds the best settings and the base are trained
    with afterwards, for an honest comparison. Raises UsageError, also where no trial was completed.
    """
    started = time.monotonic()
    check_out(out, data)
    base = search.start_settings()
    listing = training_images(data, has_several=base.has_several)
    start_keras()
    from train.fit.loop import start_network

    start_network(base, len(listing.labels))  # before the images: it is quick to say what is wrong
    first = read_dataset(listing, base.spec)
    runner = TrialRunner(listing, {base.spec: first}, {}, FeatureCache(out / FEATURES_FOLDER))
    held = len(runner.rows(base)[1])
    log(f"{out}: {len(first.examples)} images, {held} of them to validate with, labels {', '.join(first.labels)}")
    with opened(out, search, first.digest()) as record:
        _run_trials(record, runner, trials, None if timeout_s is None else started + timeout_s)
        if record.best() is None:
            reasons = "; ".join(sorted({outcome(trial).get("reason", CUT_OFF) for trial in record.ended}))
            raise DataError(f"{out}: no trial was completed ({reasons or 'there was no time for one'})")
        confirmed = confirm(record, runner, confirm_seeds)
        summary = write_report(record, confirmed, data, held, time.monotonic() - started)
        shutil.rmtree(runner.cache.folder, ignore_errors=True)
    return summary


def _run_trials(record: SearchStudy, runner: TrialRunner, trials: int, deadline: float | None) -> None:
    left = trials - len(record.ended)
    with tqdm(total=trials, initial=min(trials, trials - left), unit="trial", desc="tuning", disable=None) as bar:

        def after(study: optuna.Study, trial: FrozenTrial) -> None:
            best = record.best()
            write_progress(record)
            bar.update()
            bar.set_postfix_str("" if best is None else f"best {best.value:.4f}")
            is_best = best is not None and best.number == trial.number
            log(f"trial {trial.number}: {described(trial)}" + (", best so far" if is_best else ""))
            study.sampler = record.sampler()

        record.study.sampler = record.sampler()
        record.study.optimize(
            lambda trial: run_trial(record, runner, trial),
            n_trials=max(0, left),
            timeout=None if deadline is None else max(0.0, deadline - time.monotonic()),
            catch=failures(),
            callbacks=[after],
        )
