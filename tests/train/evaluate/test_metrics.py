"""The numbers of an evaluation, against hand-made cases and scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from eoltag.model.outputs.classes import softmax
from train.evaluate.calibration import BINS, LEAST_IMAGES, calibration, cross_calibrate, fit_temperature
from train.evaluate.metrics import (
    CURVE_POINTS,
    accuracy,
    confusion_matrix,
    curves,
    macro,
    mean_area,
    per_class,
    wilson_interval,
)

LABELS = ("a", "b", "c", "d")


def draw(images: int, temperature: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 4) and labels that come as often as softmax(logits / temperature) says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, 4)).astype(np.float32)
    chances = softmax(logits, temperature).cumsum(axis=1)
    return logits, (rng.random((images, 1)) > chances[:, :3]).sum(axis=1)


def test_precision_recall_and_f1_are_those_of_scikit_learn() -> None:
    logits, truth = draw(300)
    predicted = logits.argmax(axis=1)
    report = per_class(truth, predicted, LABELS)
    wanted = reference.precision_recall_fscore_support(truth, predicted)
    for name, values in zip(("precision", "recall", "f1", "support"), wanted, strict=True):
        assert [report[label][name] for label in LABELS] == pytest.approx(values)
    assert accuracy(truth, predicted) == pytest.approx((truth == predicted).mean())
    assert macro(report)["f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro"))


def test_a_label_without_images_is_left_out_of_the_means_and_is_no_division_by_zero() -> None:
    truth, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    report = per_class(truth, predicted, ("a", "b", "c"))
    assert report["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert macro(report)["recall"] == pytest.approx((0.5 + 1) / 2)
    np.testing.assert_array_equal(confusion_matrix(truth, predicted, 3), [[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    shares = confusion_matrix(truth, predicted, 3, is_normalised=True)
    np.testing.assert_allclose(shares, [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]])


def test_no_images_are_a_table_of_nothing() -> None:
    nothing = np.empty(0, np.int64)
    assert confusion_matrix(nothing, nothing, 2).tolist() == [[0, 0], [0, 0]]
    report = per_class(nothing, nothing, ("a", "b"))
    assert report["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert macro(report) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.parametrize(
    ("hits", "total", "wanted"),
    [(8, 10, (0.4902, 0.9433)), (0, 10, (0.0, 0.2775)), (20, 20, (0.8389, 1.0)), (0, 0, (0.0, 1.0))],
)
def test_wilson_intervals_are_those_of_the_tables(hits: int, total: int, wanted: tuple[float, float]) -> None:
    assert wilson_interval(hits, total) == pytest.approx(wanted, abs=1e-4)


def test_areas_are_those_of_scikit_learn_and_the_curves_in_json_are_short() -> None:
    logits, truth = draw(1000)
    probabilities = softmax(logits, 1.0)
    found = curves(truth, probabilities, LABELS)
    for at, curve in enumerate(found):
        assert curve.roc_area == pytest.approx(reference.roc_auc_score(truth == at, probabilities[:, at]))
        assert curve.pr_area == pytest.approx(reference.average_precision_score(truth == at, probabilities[:, at]))
        points = curve.document()["roc"]
        assert len(points["true_positive_rate"]) <= CURVE_POINTS
        assert (points["false_positive_rate"][0], points["true_positive_rate"][-1]) == (0.0, 1.0)


def test_a_label_that_all_or_no_images_have_has_no_area() -> None:
    found = curves(np.zeros(3, np.int64), softmax(np.eye(3, dtype=np.float32), 1.0), ("a", "b", "c"))
    assert [curve.roc_area for curve in found] == [None, None, None]
    assert mean_area([curve.pr_area for curve in found]) is None
    assert mean_area([None, 0.5, 1.0]) == 0.75


def test_calibration_error_and_likelihood_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6]], np.float32)
    found = calibration(2 * np.log(probabilities), np.array([0, 1, 1, 1]), 2.0)
    # 0.9 twice, right once; 0.7 and 0.6 once each, right.
    assert found.ece == pytest.approx((2 * 0.4 + 0.3 + 0.4) / 4, abs=1e-6)
    assert found.nll == pytest.approx(-np.log([0.9, 0.1, 0.7, 0.6]).mean(), abs=1e-6)
    assert [(b.images, b.accuracy) for b in found.bins if b.images] == [(1, 1.0), (1, 1.0), (2, 0.5)]
    assert len(found.bins) == BINS


def test_the_temperature_that_made_the_labels_is_found() -> None:
    for temperature in (0.5, 3.0):
        logits, truth = draw(6000, temperature)
        assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.08)


def test_a_fitted_temperature_mends_an_overconfident_model_and_is_judged_on_other_images() -> None:
    logits, truth = draw(2000, 3.0)
    before, after = cross_calibrate(logits, truth, 1.0)
    assert after is not None
    assert before.ece > 0.2
    assert after.ece < 0.05
    assert after.nll < before.nll
    flattering = calibration(logits, truth, after.temperature)
    assert after.nll >= flattering.nll


def test_too_few_images_get_no_temperature() -> None:
    logits, truth = draw(LEAST_IMAGES - 1)
    assert cross_calibrate(logits, truth, 1.0)[1] is None
