"""What a fit on a frozen base costs beside the one pass over the images that it cannot do without, in CPU seconds.

python -m benchmarks.frozen_fit --data DIR --weights PATH [--architecture mobilenet --alpha 0.75] [--epochs 30]

Two processes: one reads, decodes and hashes the images and computes their features, as `fit` does; the other is the
whole `python -m train fit`: the same, all epochs of the head, the export, its check, the scores, the plots. Wanted: at
most 1.5 times the CPU time of the first. CPU time, since that depends least on what else the machine does.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.usage import Usage, run_measured

ROOT: Final = Path(__file__).resolve().parent.parent
WANTED: Final = 1.5
PASS_ONLY: Final = "--pass-only"


def config(options: argparse.Namespace) -> str:
    """Settings with which the base never changes and no image is changed: its features are computed once."""
    alpha = f"alpha = {options.alpha}\n" if options.architecture.startswith("mobilenet") else ""
    return (
        f'architecture = "{options.architecture}"\n{alpha}weights = {json.dumps(str(options.weights.resolve()))}\n'
        f'augmentation = "off"\nepochs = {options.epochs}\nearly_stopping_patience = {options.epochs}\n'
    )


def one_pass(settings_file: Path, data: Path) -> None:
    """Read, decode and hash every image and compute its features, by the code that `fit` uses."""
    from train.cli import start_keras

    start_keras()
    from train.data.dataset import read_dataset, training_images
    from train.fit.features import FeatureCache
    from train.fit.loop import start_network
    from train.settings import read_fit_settings

    settings = read_fit_settings(settings_file)
    listing = training_images(data)
    network = start_network(settings, len(listing.labels))
    dataset = read_dataset(listing, settings.spec)
    with tempfile.TemporaryDirectory() as folder:
        features = FeatureCache(Path(folder)).get("pooled", network.features, dataset, settings, 1)
        print(json.dumps({"images": features.shape[1], "features": features.shape[2]}))


def measured(command: list[str]) -> Usage:
    """Raises RuntimeError where the command fails."""
    usage = run_measured([sys.executable, "-m", *command], cwd=ROOT)
    if usage.code:
        raise RuntimeError(f"{' '.join(command)} ended with {usage.code}: {usage.errors}")
    return usage


def compare(options: argparse.Namespace) -> str:
    """Both processes, one after the other, as a sentence each."""
    with tempfile.TemporaryDirectory() as folder:
        settings_file = Path(folder) / "frozen.toml"
        settings_file.write_text(config(options), encoding="utf-8")
        given = ["--data", str(options.data.resolve())]
        alone = measured(["benchmarks.frozen_fit", *given, "--weights", str(settings_file), PASS_ONLY])
        whole = measured(["train", "fit", str(settings_file), *given, "--out", f"{folder}/out", "--json"])
    size, found = json.loads(alone.output), json.loads(whole.output)
    ratio = whole.cpu_s / alone.cpu_s
    return (
        f"one pass over {size['images']} images, {size['features']} features each: {alone.cpu_s:.1f} CPU s\n"
        f"fit, {found['epochs_run']} epochs to a package, validation accuracy {found['val_accuracy']:.3f}: "
        f"{whole.cpu_s:.1f} CPU s\n"
        f"ratio {ratio:.2f}, wanted {WANTED} or less: {'kept' if ratio <= WANTED else 'not kept'}"
    )


def main() -> None:
    """Print what both took, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="one folder of images per label")
    parser.add_argument("--weights", type=Path, required=True, metavar="PATH", help="of the base, a .h5 file")
    parser.add_argument("--architecture", default="mobilenet")
    parser.add_argument("--alpha", type=float, default=0.75)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(PASS_ONLY, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pass_only:
        one_pass(options.weights, options.data)
    else:
        print(compare(options))


if __name__ == "__main__":
    main()
