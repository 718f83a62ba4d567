"""`tune`: trials of `fit` over a space of settings, without packages; the best one as a config for `fit`."""

import shutil
import time
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from eoltag.errors import DataError
from train.cli import say, start_keras
from train.data.dataset import read_dataset, training_images
from train.fit.attempts import check_out
from train.fit.features import FeatureCache
from train.tune.confirm import confirm
from train.tune.report import write_progress, write_report
from train.tune.runner import Bench
from train.tune.space import Search
from train.tune.study import CUT_OFF, Record, opened
from train.tune.trial import run_trial

FEATURES_FOLDER: Final = "features"


def tune(
    search: Search, data: Path, out: Path, *, trials: int, timeout_s: float | None = None, confirm_seeds: int = 0
) -> dict[str, Any]:
    """Search until that many trials have ended, those of earlier calls counted; returns the summary.

    timeout_s: no trial begins after it. confirm_seeds: how many fresh seeds the best settings and the base are trained
    with afterwards, for an honest comparison. Raises UsageError, also where no trial was completed.
    """
    started = time.monotonic()
    check_out(out, data)
    listing = training_images(data)
    start_keras()
    from train.fit.loop import start_network

    base = search.start_settings()
    start_network(base, len(listing.labels))  # before the images: it is quick to say what is wrong
    first = read_dataset(listing, base.spec)
    bench = Bench(listing, {base.spec: first}, {}, FeatureCache(out / FEATURES_FOLDER))
    held = len(bench.rows(base)[1])
    say(f"{out}: {len(first.examples)} images, {held} of them to validate with, labels {', '.join(first.labels)}")
    with opened(out, search, first.digest()) as record:
        _run_trials(record, bench, trials, None if timeout_s is None else started + timeout_s)
        if record.best() is None:
            reasons = "; ".join(sorted({trial.user_attrs.get("reason", CUT_OFF) for trial in record.ended}))
            raise DataError(f"{out}: no trial was completed ({reasons or 'there was no time for one'})")
        confirmed = confirm(record, bench, confirm_seeds)
        summary = write_report(record, confirmed, data, held, time.monotonic() - started)
        shutil.rmtree(bench.cache.folder, ignore_errors=True)
    return summary


def _run_trials(record: Record, bench: Bench, trials: int, deadline: float | None) -> None:
    with tqdm(total=trials, initial=min(trials, len(record.ended)), unit="trial", desc="tuning", disable=None) as bar:
        while len(record.ended) < trials and (deadline is None or time.monotonic() < deadline):
            trial = record.ask()
            line = run_trial(record, bench, trial)
            best = record.best()
            write_progress(record)
            bar.update()
            bar.set_postfix_str("" if best is None else f"best {best.value:.4f}")
            say(f"trial {trial.number}: {line}" + (", best so far" if best and best.number == trial.number else ""))
