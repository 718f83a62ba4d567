"""Intervals cover what they promise, by simulation; and agree with published formulas."""

from collections.abc import Iterable
from functools import cache
from math import sqrt

import numpy as np
import pytest

from eoltag.audit.draw import allocate, draw
from eoltag.audit.intervals import Stratum, clopper_pearson, more_to_halve, stratified_share

DRAWS = 400
SIMULATED = 3_000
ROWS = 4_000


def test_the_exact_interval_is_that_of_the_tables() -> None:
    assert clopper_pearson(48, 50) == pytest.approx((0.8629, 0.9951), abs=1e-4)
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_more_judgements_halve_the_interval() -> None:
    low, high = clopper_pearson(48, 50)
    total = 50 + more_to_halve(48, 50)
    after = clopper_pearson(round(0.96 * total), total)
    assert (high - low) / 2 * 0.85 <= after[1] - after[0] <= (high - low) / 2


def population(share: float, error: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What images show, and what they are tagged with: two tags, errors in both directions."""
    chance = np.random.default_rng(seed)
    shown = chance.random(ROWS) < share
    return shown, np.where(chance.random(ROWS) < error, ~shown, shown)


def audit(shown: np.ndarray, tagged: np.ndarray, images: int, seed: int) -> dict[str, Stratum]:
    """One audit: strata by tag, with the hits of the tag `yes`."""
    tags = np.where(tagged, "yes", "no").tolist()
    rows = {tag: tags.count(tag) for tag in ("no", "yes")}
    places = list(draw([(tag,) for tag in tags], allocate(rows, images), seed))
    return {
        tag: Stratum(rows[tag], len(mine), int(shown[mine].sum()))
        for tag in rows
        for mine in [[place for place in places if tags[place] == tag]]
    }


def covered(shown: np.ndarray, tagged: np.ndarray, audits: Iterable[dict[str, Stratum]]) -> dict[str, float]:
    """How often the intervals of precision and share hold the true ones."""
    precision, truth, found, exactly = shown[tagged].mean(), shown.mean(), [], cache(clopper_pearson)
    for strata in audits:
        exact = exactly(strata["yes"].hits, strata["yes"].audited)
        share = stratified_share(list(strata.values()))[1:]
        found.append([exact[0] <= precision <= exact[1], share[0] <= truth <= share[1]])
    return dict(zip(("precision", "share"), np.mean(found, axis=0).tolist(), strict=True))


@pytest.mark.parametrize("error", [0.02, 0.05, 0.2])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_intervals_for_precision_and_share_cover_in_94_of_100_draws(share: float, error: float) -> None:
    """Chance moves a coverage by 0.4 of a percent in so many draws. The hits of a random sample are hypergeometric."""
    shown, tagged = population(share, error, seed=1)
    parts = {"no": shown[~tagged], "yes": shown[tagged]}
    wanted, chance = allocate({tag: len(part) for tag, part in parts.items()}, 200), np.random.default_rng(0)
    hits = {
        tag: chance.hypergeometric(part.sum(), len(part) - part.sum(), wanted[tag], SIMULATED)
        for tag, part in parts.items()
    }
    audits = (
        {tag: Stratum(len(part), wanted[tag], int(hits[tag][number])) for tag, part in parts.items()}
        for number in range(SIMULATED)
    )
    found = covered(shown, tagged, audits)
    assert min(found.values()) >= 0.94, found


def test_they_cover_as_often_with_images_that_are_drawn() -> None:
    shown, tagged = population(0.2, 0.05, seed=1)
    found = covered(shown, tagged, (audit(shown, tagged, 200, seed) for seed in range(DRAWS)))
    assert min(found.values()) >= 0.94, found


def test_with_the_tags_the_interval_of_a_share_is_much_shorter_than_without() -> None:
    """At 5 % errors and a share of 20 %, against the classical interval of as many images drawn blindly."""
    shown, tagged = population(0.2, 0.05, seed=2)
    widths = []
    for seed in range(50):
        _, low, high = stratified_share(list(audit(shown, tagged, 200, seed).values()))
        widths.append(high - low)
    classical = 2 * 1.96 * sqrt(0.2 * 0.8 / 200)
    assert np.mean(widths) <= 0.6 * classical


def test_the_share_is_that_of_prediction_powered_inference() -> None:
    """Where each stratum is drawn in proportion, the estimate is mean(tag) + mean(shown - tag) of the drawn images."""
    strata = [Stratum(16_000, 160, 8), Stratum(4_000, 40, 38)]
    estimate, low, high = stratified_share(strata)
    rectifier = (8 * 1 + 2 * -1) / 200
    assert estimate == pytest.approx(4_000 / 20_000 + rectifier)
    residuals = np.array([1.0] * 8 + [0.0] * 152 + [-1.0] * 2 + [0.0] * 38)
    half = 1.96 * residuals.std() / sqrt(200)
    assert (high - low) / 2 == pytest.approx(half, rel=0.12)


def test_a_stratum_that_nobody_looked_at_may_be_anything() -> None:
    assert stratified_share([Stratum(10, 0, 0)]) == (0.5, 0.0, 1.0)
    assert stratified_share([]) == (0.0, 0.0, 0.0)


def test_a_rare_tag_gets_its_own_images_and_none_more_than_there_are() -> None:
    assert allocate({"map": 9_000, "photo": 990, "sheet": 10}, 200) == {"map": 155, "photo": 35, "sheet": 10}
    assert allocate({"a": 3, "b": 5}, 200) == {"a": 3, "b": 5}
    assert allocate(dict.fromkeys("abcdef", 1000), 60) == dict.fromkeys("abcdef", 10)
    assert sum(allocate({"a": 700, "b": 300}, 200).values()) == 200


def test_a_draw_is_random_mixed_and_the_same_for_one_seed() -> None:
    tags = ["a"] * 500 + ["b"] * 500
    rows, wanted = [(tag,) for tag in tags], {"a": 20, "b": 20}
    drawn = list(draw(rows, wanted, 3))
    assert drawn == list(draw(rows, wanted, 3)) != list(draw(rows, wanted, 4))
    assert sorted(tags[place] for place in drawn) == ["a"] * 20 + ["b"] * 20
    assert len(set(drawn)) == 40
    assert [tags[place] for place in drawn] != sorted(tags[place] for place in drawn)
