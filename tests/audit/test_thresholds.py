"""Thresholds from an audit keep their promise, by simulation, also where a label's share is another one by now."""

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from eoltag.audit.certificate import Judged
from eoltag.audit.draw import draw
from eoltag.audit.sample import Claim, Drawn
from eoltag.audit.thresholds import Promise, thresholds_again

DRAWS = 400
ROWS = 6_000
LABELS = 200
SHARE = 0.3
"""Of the label where the model was trained."""
MEAN, SPREAD = 2.2, 1.3
"""Of what the model sees of images with and without the label: MEAN and -MEAN."""
PROMISE = Promise(0.05, 0.95)


def published(share: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidences of the images that are tagged with the label, and which of them are wrong.

    The model is calibrated for SHARE: what it is sure of depends on the picture alone, so that with another share the
    same confidence is wrong more often or less.
    """
    chance = np.random.default_rng(seed)
    shows = chance.random(ROWS) < share
    seen = chance.normal(np.where(shows, MEAN, -MEAN), SPREAD)
    confidence = 1 / (1 + np.exp(-(2 * MEAN * seen / SPREAD**2 + np.log(SHARE / (1 - SHARE)))))
    is_tagged = confidence >= 0.5
    return confidence[is_tagged], ~shows[is_tagged]


def audit(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], seed: int) -> list[Judged]:
    places = list(draw([("yes",)] * len(wrong), {"yes": LABELS}, seed))
    drawn = [Drawn("u", str(at), "yes", float(confidence[at]), "b", at, None, None, "sure") for at in places]
    return [Judged(one, frozenset({"no" if wrong[at] else "yes"})) for one, at in zip(drawn, places, strict=True)]


def error_at(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], threshold: float) -> float:
    return float(wrong[confidence >= threshold].mean())


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_an_error_of_five_percent_holds_in_95_of_100_draws_whatever_the_share(factor: float) -> None:
    confidence, wrong = published(SHARE * factor, seed=7)
    error = partial(error_at, confidence, wrong)
    found = [thresholds_again(audit(confidence, wrong, seed), "", PROMISE)["tags"]["yes"] for seed in range(DRAWS)]
    thresholds = [one["threshold"] for one in found if one["threshold"] is not None]
    held = DRAWS - len(thresholds) + sum(error(threshold) <= PROMISE.max_error for threshold in thresholds)
    assert held >= 0.95 * DRAWS
    assert len(thresholds) >= DRAWS / 3, "a promise that is hardly ever made is easily kept"
    assert all(one["coverage"] > 0.2 for one in found if one["threshold"] is not None)


def test_the_threshold_of_another_share_does_not_hold_any_more() -> None:
    """What the draws above guard against: with half the share, the threshold that held before errs too often."""
    before, after = published(SHARE, seed=7), published(SHARE / 2, seed=7)
    lowest = min(t for t in np.arange(0.5, 1, 0.01) if error_at(*before, t) <= PROMISE.max_error)
    assert error_at(*after, lowest) > 1.5 * PROMISE.max_error


def test_tags_of_people_and_the_missing_tag_choose_no_threshold_and_few_images_say_how_many_are_wanted() -> None:
    def one(number: int, tag: str, rule: str) -> Judged:
        return Judged(Drawn("u", str(number), tag, 0.9, "b", number, None, None, rule), frozenset({tag}))

    judged = [one(n, "map", "sure") for n in range(58)] + [one(n, "map", "person") for n in range(58, 80)]
    judged += [one(n, "unsure", "none") for n in range(80, 90)]
    found = thresholds_again(judged, "unsure", PROMISE)
    assert (found["max_error"], found["confidence"], list(found["tags"])) == (0.05, 0.95, ["map"])
    assert found["tags"]["map"]["threshold"] is None
    assert found["tags"]["map"]["reason"] == (
        "only 58 images were given this label; at least 59, all right, are needed: 1 more"
    )
    enough = thresholds_again([*judged, one(99, "map", "sure")], "unsure", PROMISE)["tags"]["map"]
    assert (enough["threshold"], enough["images"], enough["wrong"], enough["coverage"]) == (0.9, 59, 0, 1.0)


def test_an_image_with_several_tags_counts_for_each_with_the_confidence_of_that_tag() -> None:
    def one(number: int) -> Judged:
        claims = (Claim("flower", "f", 0.9), Claim("fruit", "g", 0.6, is_counted=number < 70))
        image = Drawn("u", str(number), "flower|fruit", 0.9, "b", number, None, None, "f|g", claims)
        return Judged(image, frozenset({"flower", "fruit"}))

    found = thresholds_again([one(number) for number in range(80)], "none", PROMISE)["tags"]
    assert {tag: (one["threshold"], one["images"]) for tag, one in found.items()} == {
        "flower": (0.9, 80), "fruit": (0.6, 70),
    }  # fmt: skip
