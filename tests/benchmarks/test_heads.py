"""The arithmetic of benchmarks.heads: whose rows, which table, what is below the probe."""

import numpy as np

from benchmarks.heads import Figure, accuracies, below, drawn, table


def test_a_larger_size_holds_the_rows_of_a_smaller_one_and_no_class_more_than_it_has() -> None:
    targets = np.array([0] * 5 + [1] * 3 + [0, 1])
    rows = np.arange(8)
    few, many = drawn(targets, rows, 2, seed=1), drawn(targets, rows, 4, seed=1)
    assert set(few) <= set(many) <= set(rows)
    assert np.bincount(targets[few]).tolist() == [2, 2]
    assert np.bincount(targets[many]).tolist() == [4, 3]


def test_all_three_heads_learn_what_can_be_told_apart() -> None:
    targets = np.repeat([0, 1, 2], 10)
    features = np.eye(3, dtype=np.float32)[targets][None] * 4 + np.linspace(0, 0.1, 30, dtype=np.float32)[:, None]
    rows = np.arange(30)
    assert accuracies(features, targets, rows[::2], rows[1::2], 0) == (1.0, 1.0, 1.0)


def test_a_head_below_the_probe_by_more_than_a_standard_error_is_named() -> None:
    figures = [Figure("kinds", 12, seed, 24, 100, 0.9, 0.8, 0.89) for seed in (0, 1)]
    assert below(figures) == ["kinds, 12 images a class: solved is 0.100 below the probe"]
    assert table(figures).splitlines()[-1] == "| kinds | 12 | 24 | 100 | 0.900 | 0.800 | 0.890 | 0.031 |"
