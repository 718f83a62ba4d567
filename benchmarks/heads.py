"""Heads as `fit` solves them against a plain logistic regression on the same features, from 12 images a class to 400.

    python -m benchmarks.heads --images FLOWERS --images CARS --images KINDS --weights mobilenet_7_5_224_tf_no_top.h5

Each folder holds a folder of images for each label. A fifth of every label is held out (look-alikes on one side), and
the same images are held out for every size of one seed. Three heads learn from the same rows: LogisticRegression of
scikit-learn as it comes (the probe); ours on the pictures as they are; ours as conf/train/flowers5.toml has it, on four
changed copies and with smoothed labels. Wanted: ours is nowhere below the probe by more than a standard error. Features
are computed once and kept in --cache. The table goes to stdout, every figure to build/bench/heads.json.
"""

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from train.cli import start_keras

ROOT: Final = Path(__file__).resolve().parent.parent
SIZES: Final = (12, 48, 150, 400)
SEEDS: Final = (0, 1, 2)
HELD_OUT: Final = 0.2
VIEWS: Final = 4
SMOOTHING: Final = 0.1
SETTINGS: Final = """\
architecture = "mobilenet"
alpha = 0.75
image_size_px = 224
augmentation = "photo"
cached_views = 4
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One size and one seed of one set."""

    name: str
    wanted: int
    """Images a class that were asked for; a class may have fewer."""
    seed: int
    trained_on: int
    held_out: int
    probe: float
    """Accuracy on the images held out, as the other two."""
    solved: float
    views: float

    @property
    def error(self) -> float:
        """Standard error of the probe's accuracy."""
        share = (self.probe * self.held_out + 1) / (self.held_out + 2)  # so that 1.000 has an error as well
        return math.sqrt(share * (1 - share) / self.held_out)


def drawn(targets: NDArray[np.int64], rows: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """At most `size` of these rows of each class; a larger size holds the rows of a smaller one."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.concatenate([order[targets[order] == one][:size] for one in np.unique(targets)])


def figures_of(folder: Path, weights: Path, cache: Path) -> list[Figure]:
    """Every size and seed of one set of images."""
    from train.data.dataset import read_dataset, split
    from train.fit.features import FeatureCache
    from train.fit.loop import start_network
    from train.settings import read_fit_settings

    cache.mkdir(parents=True, exist_ok=True)
    file = cache / "heads.toml"
    file.write_text(f"{SETTINGS}weights = {json.dumps(str(weights.resolve()))}\n", encoding="utf-8")
    settings = read_fit_settings(file)
    network = start_network(settings, 2)
    dataset = read_dataset(folder, settings.spec)
    features = np.asarray(FeatureCache(cache).get("pooled", network.features, dataset, settings, VIEWS))
    found = []
    for seed in SEEDS:
        train, held_out = split(dataset, HELD_OUT, seed)
        for size in SIZES:
            rows = drawn(dataset.targets, train, size, seed)
            shares = accuracies(features, dataset.targets, rows, held_out, seed)
            found.append(Figure(folder.name, size, seed, len(rows), len(held_out), *shares))
            print(json.dumps(asdict(found[-1])), flush=True)
    return found


def accuracies(
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    rows: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
) -> tuple[float, float, float]:
    """On the rows held out: of the probe, of ours on pictures as they are, of ours on changed copies."""
    from sklearn.linear_model import LogisticRegression

    from train.optimization.solving import solve_head

    plain, unseen, truth = features[0, rows], features[0, held_out], targets[held_out]
    probe = LogisticRegression(max_iter=5_000).fit(plain, targets[rows]).score(unseen, truth)
    sure = np.eye(int(targets.max()) + 1, dtype=np.float32)[targets[rows]]
    smooth = sure * (1 - SMOOTHING) + SMOOTHING / sure.shape[1]
    weights = np.ones(len(rows), np.float32)
    heads = (
        solve_head(plain[None], sure, weights, seed),
        solve_head(features[:, rows], smooth, weights, seed),
    )
    solved, views = (float(((unseen @ head.kernel + head.bias).argmax(1) == truth).mean()) for head in heads)
    return float(probe), solved, views


def table(figures: list[Figure]) -> str:
    """Means over the seeds, in Markdown: a line for each set and size."""
    lines = [
        "| set | images a class | trained on | held out | probe | solved | solved, 4 copies | standard error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, size in dict.fromkeys((one.name, one.wanted) for one in figures):
        mine = [one for one in figures if (one.name, one.wanted) == (name, size)]
        numbers: dict[str, Any] = {
            key: mean(getattr(one, key) for one in mine)
            for key in ("trained_on", "held_out", "probe", "solved", "views", "error")
        }
        counts = f"{numbers['trained_on']:.0f} | {numbers['held_out']:.0f}"
        shares = " | ".join(f"{numbers[key]:.3f}" for key in ("probe", "solved", "views", "error"))
        lines.append(f"| {name} | {size} | {counts} | {shares} |")
    return "\n".join(lines)


def below(figures: list[Figure]) -> list[str]:
    """A sentence for each head that is further below the probe than a standard error, as a mean over the seeds."""
    found = []
    for name, size in dict.fromkeys((one.name, one.wanted) for one in figures):
        mine = [one for one in figures if (one.name, one.wanted) == (name, size)]
        for key in ("solved", "views"):
            gap = mean(one.probe - getattr(one, key) for one in mine)
            if gap > mean(one.error for one in mine):
                found.append(f"{name}, {size} images a class: {key} is {gap:.3f} below the probe")
    return found


def main() -> None:
    """Print the table, and what is below the probe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, action="append", required=True, metavar="DIR", help="once for each set")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="MobileNet of alpha 0.75, no top")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/bench/features", metavar="DIR")
    options = parser.parse_args()
    start_keras()
    figures = [one for folder in options.images for one in figures_of(folder, options.weights, options.cache)]
    target = ROOT / "build/bench/heads.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")
    print("\n".join([table(figures), *below(figures)]))


if __name__ == "__main__":
    main()
