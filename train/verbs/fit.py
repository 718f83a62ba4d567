"""`python -m train fit CONFIG --data DIR --out DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from train.command import Answer, Verb

TEACHING: Final = """\
DIR of --data holds one folder per label: sorted names are the labels, files at any depth the images (hidden
ones are ignored). Files that cannot be decoded are named and skipped. A part of every class, drawn by the seed, is kept
for validation. --out becomes a model package: model.keras, its OpenVINO export, card.json and a README.md with plots.
It appears whole or not at all.

examples:
  python -m train fit conf/train/demo.toml --data artifacts/sample --out artifacts/demo_model
  python -m train fit conf/train/demo.toml --data photos --out models/mine --set epochs=40 --set augmentation=simple
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG.toml", help="settings; see conf/train/")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="one folder of images per label")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model package to write")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same weights on CPU (default 0)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting; repeatable"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the package that --out holds")


def _run(options: Namespace) -> Answer:
    from train.fitting import fit_package
    from train.settings import read_fit_settings

    settings = read_fit_settings(options.config, options.set, options.seed)
    summary = fit_package(settings, options.data, options.out, seed=options.seed, overwrite=options.overwrite)
    text = (
        f"{summary['out']}: version {summary['model_version']}, validation accuracy {summary['val_accuracy']:.3f} "
        f"({summary['images']['train']} images trained on, {summary['images']['validation']} validated, "
        f"{len(summary['skipped'])} skipped), best of {summary['epochs_run']} epochs in {summary['seconds']:.0f} s"
    )
    return Answer(summary, text)


VERB: Final = Verb("train a model from a folder of images and write a model package", TEACHING, _arguments, _run)
