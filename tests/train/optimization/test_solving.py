"""A head solved at once: the optimum of its loss, held back as far as left out images ask for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from train.optimization.solving import PENALTIES, Solution, solve_head

Arrays = tuple[np.ndarray, np.ndarray]


def blobs(of_each: int, noise: float, seed: int, classes: int = 3, width: int = 20) -> Arrays:
    """Features (N, D) around a centre of each class, and targets (N,)."""
    centres = np.random.default_rng(0).normal(size=(classes, width))
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), of_each)
    features = centres[truth] + noise * rng.normal(size=(len(truth), width))
    return (5 + 3 * features).astype(np.float32), truth


def solve(features: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None, views: int = 1) -> Solution:
    """Each image as it is, in so many equal views."""
    ones = np.ones(len(truth), np.float32)
    one_hot = np.eye(3, dtype=np.float32)[truth]
    return solve_head(np.stack([features] * views), one_hot, ones if weights is None else weights, seed=0)


def test_it_is_logistic_regression_with_the_chosen_penalty() -> None:
    features, truth = blobs(40, noise=2.0, seed=1)
    found = solve(features, truth)
    rows = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0).mean())
    wanted = LogisticRegression(C=1 / (found.penalty * len(truth)), tol=1e-8, max_iter=5000).fit(rows, truth)
    probabilities = wanted.predict_proba(rows)
    logits = features @ found.kernel + found.bias
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(shares / shares.sum(axis=1, keepdims=True), probabilities, atol=2e-3)


def test_noisy_features_are_held_back_more_than_clear_ones() -> None:
    penalties = [solve(*blobs(30, noise, seed=2)).penalty for noise in (0.3, 8.0)]
    assert penalties[0] < penalties[1]


def test_the_chosen_penalty_is_the_best_of_all_on_left_out_images() -> None:
    found = solve(*blobs(30, noise=3.0, seed=3))
    assert tuple(found.losses) == PENALTIES[: len(found.losses)]
    assert found.losses[found.penalty] == min(found.losses.values())


def test_views_of_an_image_are_left_out_together() -> None:
    features, truth = blobs(10, noise=6.0, seed=4)
    alone, thrice = (solve(features, truth, views=views) for views in (1, 3))
    assert thrice.penalty == alone.penalty
    np.testing.assert_allclose(thrice.kernel, alone.kernel, atol=1e-3)


def test_a_heavier_class_is_named_more_often() -> None:
    features, truth = blobs(30, noise=6.0, seed=5)
    heavy = np.where(truth == 2, 20.0, 1.0).astype(np.float32)
    found = (solve(features, truth), solve(features, truth, heavy))
    counts = [int(((features @ one.kernel + one.bias).argmax(axis=1) == 2).sum()) for one in found]
    assert counts[0] < counts[1]


def test_two_images_a_class_are_enough_and_one_takes_a_middle_penalty() -> None:
    for of_each in (2, 1):
        features, truth = blobs(of_each, noise=0.1, seed=6)
        found = solve(features, truth)
        assert ((features @ found.kernel + found.bias).argmax(axis=1) == truth).all()
        assert bool(found.losses) == (of_each > 1)
    assert found.penalty == pytest.approx(PENALTIES[len(PENALTIES) // 2])
