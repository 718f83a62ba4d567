"""Whether the best trial is better than the base, or was lucky."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from train.command import say
from train.tuning_bench import Bench, failures, reason_of, scores
from train.tuning_study import Record

CONFIRMED: Final = "confirmed"
"""Attribute of the study: what fresh trainings gave, by trial and seed."""
CONFIDENCE: Final = 0.95


def confirm(record: Record, bench: Bench, seeds: int) -> list[dict[str, Any]]:
    """The best settings and the base, trained with seeds (and so splits and weights) that the search never saw."""
    best = record.best()
    if best is None or not seeds or best.user_attrs["slot"] == 0:
        return []
    search = record.search
    pair = {"base": search.start_settings(), "best": search.settings_of(best.user_attrs["settings"])}
    known: dict[str, Any] = dict(record.study.user_attrs.get(CONFIRMED, {}))
    found = []
    for number in range(1, seeds + 1):
        seed = (search.base.seed + number) % 2**32
        row: dict[str, Any] = {"seed": seed}
        for role, settings in pair.items():
            key = f"{role} {best.number if role == 'best' else 0} {seed}"
            if key not in known:
                try:
                    found_now = bench.train(settings.model_copy(update={"seed": seed}))
                except failures() as problem:
                    found_now = {"reason": reason_of(problem)}
                known[key] = found_now
                record.study.set_user_attr(CONFIRMED, known)
            row[role] = known[key]
        say(f"seed {seed}: " + ", ".join(f"{role} {scores(row[role])}" for role in pair))
        found.append(row)
    return found


def verdict(record: Record, confirmed: Sequence[dict[str, Any]], held: int) -> dict[str, Any]:
    """Best against base, in numbers and in words that promise no more than they show.

    is_better: None where that cannot be told. held: images that chose the best trial.
    """
    best, base = record.best(), record.base()
    assert best is not None
    if base is None:
        return {"is_better": None, "text": "The base was not completed, so nothing can be said against it."}
    if best.user_attrs["slot"] == 0:
        return {"is_better": False, "text": f"None of {len(record.ended)} trials beat the base: best.toml is the base."}
    pairs = [row for row in confirmed if all("reason" not in row[role] for role in ("base", "best"))]
    return by_fresh_seeds(pairs, len(confirmed)) if pairs else _by_choice(best.user_attrs, base.user_attrs, held)


def _by_choice(best: dict[str, Any], base: dict[str, Any], held: int) -> dict[str, Any]:
    """From the images that chose the trial alone, by which the best of many looks better than it is."""
    one, other = best["val_accuracy"], base["val_accuracy"]
    error = math.sqrt((one * (1 - one) + other * (1 - other)) / held)  # of a difference of two shares
    return {
        "is_better": None,
        "difference": one - other,
        "text": f"The best trial has {_points(one - other)} of accuracy over the base on the {held} images that chose "
        f"it. Two standard errors of such a difference are {100 * 2 * error:.1f} points, so that it "
        f"{'is more than chance would give' if one - other > 2 * error else 'may be chance'}; and the best of many "
        "trials is partly the luckiest. --confirm 5 measures both afresh.",
    }


def by_fresh_seeds(pairs: Sequence[dict[str, Any]], seeds: int) -> dict[str, Any]:
    """From trainings with seeds that chose nothing: the mean difference and its interval by Student's t."""
    differences = np.array([row["best"]["val_accuracy"] - row["base"]["val_accuracy"] for row in pairs])
    mean, count = float(differences.mean()), len(differences)
    found: dict[str, Any] = {"difference": mean, "seeds": count, "interval": None, "is_better": None}
    lost = f" ({seeds - count} of {seeds} seeds failed)" if count < seeds else ""
    fresh = "1 fresh seed" if count == 1 else f"{count} fresh seeds"
    said = f"With {fresh}{lost}, the best settings have {_points(mean)} of accuracy over the base"
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
    return {**found, "text": f"{said} (95 % interval {_points(low)} to {_points(high)}): {meaning}."}


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"
