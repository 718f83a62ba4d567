"""Confirmation: whether the best trial is better than the base, or was lucky."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from optuna.trial import FrozenTrial

from train.cli import log
from train.tune.runner import TrialRunner, failures, reason_of, scores
from train.tune.study import SETTINGS, SearchStudy, is_base, outcome

CONFIRMED: Final = "confirmed"
"""Attribute of the study: results of trainings with fresh seeds, by trial and seed."""
CONFIDENCE: Final = 0.95


def confirm(record: SearchStudy, runner: TrialRunner, seeds: int) -> list[dict[str, Any]]:
    """The best settings and the base, trained with seeds (and so splits and weights) that the search never saw."""
    best = record.best()
    if best is None or not seeds or is_base(best):
        return []
    search = record.search
    pair = {"base": search.start_settings(), "best": search.settings_of(best.user_attrs[SETTINGS])}
    known: dict[str, Any] = dict(record.study.user_attrs.get(CONFIRMED, {}))
    found = []
    for number in range(1, seeds + 1):
        seed = (search.base.seed + number) % 2**32
        row: dict[str, Any] = {"seed": seed}
        for role, settings in pair.items():
            key = f"{role} {best.number if role == 'best' else 0} {seed}"
            if key not in known:
                try:
                    found_now = runner.train(settings.model_copy(update={"seed": seed}))
                except failures() as problem:
                    found_now = {"reason": reason_of(problem)}
                known[key] = found_now
                record.study.set_user_attr(CONFIRMED, known)
            row[role] = known[key]
        log(f"seed {seed}: " + ", ".join(f"{role} {scores(row[role])}" for role in pair))
        found.append(row)
    return found


def verdict(record: SearchStudy, confirmed: Sequence[dict[str, Any]], held: int) -> dict[str, Any]:
    """Best against base, in numbers and in words that promise no more than they show.

    is_better: None where that cannot be told. held: images that chose the best trial.
    """
    best, base = record.best(), record.base()
    assert best is not None
    if base is None:
        return {"is_better": None, "text": "The base was not completed, so nothing can be said against it."}
    if is_base(best):
        return {"is_better": False, "text": f"None of {len(record.ended)} trials beat the base: best.toml is the base."}
    pairs = [row for row in confirmed if all("reason" not in row[role] for role in ("base", "best"))]
    metric = record.search.file.metric
    return by_fresh_seeds(pairs, len(confirmed), metric) if pairs else _by_choice(best, base, held, metric)


def _by_choice(best: FrozenTrial, base: FrozenTrial, held: int, metric: str) -> dict[str, Any]:
    """From the images that chose the trial alone, by which the best of many looks better than it is."""
    gain = _gain(outcome(best), outcome(base), metric)
    said = f"The best trial has {_over(gain, metric)} on the {held} images that chose it. "
    if metric == "val_accuracy":
        one, other = outcome(best)[metric], outcome(base)[metric]
        error = math.sqrt((one * (1 - one) + other * (1 - other)) / held)  # of a difference of two shares
        meaning = "is more than chance would give" if gain > 2 * error else "may be chance"
        said += f"Two standard errors of such a difference are {100 * 2 * error:.1f} points, so that it {meaning}. "
    luck = "The best of many trials is partly the luckiest: --confirm 5 measures both afresh."
    return {"is_better": None, "difference": gain, "text": said + luck}


def by_fresh_seeds(pairs: Sequence[dict[str, Any]], seeds: int, metric: str) -> dict[str, Any]:
    """From trainings with seeds that chose nothing: the mean gain and its interval by Student's t."""
    differences = np.array([_gain(row["best"], row["base"], metric) for row in pairs])
    mean, count = float(differences.mean()), len(differences)
    found: dict[str, Any] = {"difference": mean, "seeds": count, "interval": None, "is_better": None}
    lost = f" ({seeds - count} of {seeds} seeds failed)" if count < seeds else ""
    fresh = "1 fresh seed" if count == 1 else f"{count} fresh seeds"
    said = f"With {fresh}{lost}, the best settings have {_over(mean, metric)}"
    if count < 2:
        return {**found, "text": f"{said}; one seed does not tell how much is chance."}
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    low, high = mean - half, mean + half
    found.update(interval=[low, high], is_better=bool(low > 0))
    if low > 0:
        meaning = "the gain is more than chance"
    elif high < 0:
        meaning = "they are worse: keep the base"
    else:
        meaning = "the difference is within chance, the base may be as good"
    return {**found, "text": f"{said} (95 % interval {_amount(low, metric)} to {_amount(high, metric)}): {meaning}."}


def _gain(best: Mapping[str, Any], base: Mapping[str, Any], metric: str) -> float:
    """Above zero where the best is better."""
    return float((best[metric] - base[metric]) * (1 if metric == "val_accuracy" else -1))


def _over(gain: float, metric: str) -> str:
    words = "of accuracy over" if metric == "val_accuracy" else "of loss under"
    return f"{_amount(gain, metric)} {words} the base"


def _amount(gain: float, metric: str) -> str:
    return f"{100 * gain:+.1f} points" if metric == "val_accuracy" else f"{gain:+.3f}"
