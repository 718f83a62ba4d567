"""`python -m train fit CONFIG --data DIR --out DIR`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import SettingsError
from train.cli import Answer, Verb

TEACHING: Final = """\
DIR of --data holds one folder per label: sorted names are the labels, files at any depth the images (hidden
ones are ignored). Or it holds the folders train and val, as `prepare` writes them, each with one folder per label; else
a part of every class is drawn for validation by the seed, and images that look alike stay together. Files that cannot
be decoded are named and skipped. Below --out each call makes the next attempt, 001, 002, ...: config.toml with all
settings, history.csv, curves.png, tensorboard/, and package/, which is the model: model.keras, its OpenVINO export,
card.json and a README.md with plots. --resume goes on with the newest attempt that was not ended, to the same result.
--features OUTPUT trains the head alone, in seconds, on features that the Spark job or an import keeps there: of the
base that the config builds, or that it names as features_of. --labels is a CSV with the columns label, one of
eolMediaURL (or url), identifier and content_sha256, and perhaps split (train, validation, test), group (images of one
never sit on two sides) and judged (by a person: see judged_weight); `prepare judgements --labels-out` writes one.

With output = "labels" in the config an image may show several labels, or none: its file stands in several folders of
DIR (or in `none`), or --data is a CSV with path (files or URLs), labels and absent, joined by |; what stands in neither
is unknown. In the CSV of --labels the columns are then labels and absent as well.

A path to --out means its chosen attempt, for every verb and job: the best by validation accuracy, unless --choose names
another. DIR/chosen.json says which it is.

examples:
  python -m train fit conf/train/demo.toml --data artifacts/sample --out artifacts/demo_model
  python -m train fit conf/train/flowers5.toml --data photos --weights mobilenet_7_5_224_tf_no_top.h5 --out models/mine
  python -m train fit conf/train/demo.toml --data photos --out models/mine --set epochs=40 --set augmentation=simple
  python -m train fit head.toml --features /data/output --labels labels.csv --out models/mine
  python -m train fit conf/train/demo.toml --data photos --set augmentation=simple --preview changed.jpg
  python -m train fit --out models/mine --choose 002
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("config", type=Path, nargs="?", metavar="CONFIG.toml", help="settings; see conf/train/")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="one folder of images per label; or a CSV, see above")
    source.add_argument("--features", type=Path, metavar="OUTPUT", help="output directory that keeps features")
    parser.add_argument("--labels", type=Path, metavar="FILE.csv", help="with --features: what the images show")
    parser.add_argument("--weights", metavar="PATH", help="of the base: imagenet, none, or a .h5 or .keras file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of attempts; this one gets the next number")
    parser.add_argument("--seed", type=int, metavar="N", help="same seed, same weights on CPU (default: the config's)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting; repeatable"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the newest attempt that was not ended")
    parser.add_argument(
        "--from", type=Path, dest="begin_with", metavar="ATTEMPT", help="start from the weights of a finished attempt"
    )
    parser.add_argument(
        "--choose", metavar="NNN", help="train nothing: this attempt is the one meant, or the `best` by validation"
    )
    parser.add_argument(
        "--preview", type=Path, metavar="FILE", help="draw changed copies as the training would see them, and stop"
    )


def _run(options: Namespace) -> Answer:
    from train.settings import read_fit_settings

    if options.choose is not None:
        return _chosen(options)
    _require(options, "config", *(() if options.features is not None else ("data",)))
    settings = read_fit_settings(options.config, options.set, seed=options.seed, weights=options.weights)
    if (options.features is None) != (options.labels is None):
        raise SettingsError("fit: wanted --features and --labels together, or --data")
    if options.preview is not None:
        if options.data is None:
            raise SettingsError("--preview: draws pictures; wanted --data in place of --features")
        from train.fit.preview import draw_preview

        shown = draw_preview(settings, options.data, options.preview)
        return Answer({"preview": str(options.preview), "images": shown}, f"{options.preview}: {shown} images drawn")
    _require(options, "out")
    if options.features is not None:
        from train.fit.stored import fit_head

        summary = fit_head(settings, options.features, options.labels, options.out, is_resumed=options.resume)
    else:
        from train.fit.run import fit_package

        summary = fit_package(
            settings, options.data, options.out, is_resumed=options.resume, begin_with=options.begin_with
        )
    text = (
        f"{summary['package']}: version {summary['model_version']}, {_average_precision(summary)}validation accuracy "
        f"{summary['val_accuracy']:.3f} ({summary['images']['train']} images trained on, "
        f"{summary['images']['validation']} validated, {len(summary['skipped'])} skipped), "
        f"best of {summary['epochs_run']} epochs in {summary['seconds']:.0f} s\n{summary['choice']}"
    )
    return Answer(summary, text)


def _average_precision(summary: dict[str, Any]) -> str:
    """Of several labels, before the share of right answers, which says little of rare ones."""
    found = summary["metrics"].get("mean_average_precision")
    return "" if found is None else f"mean average precision {found:.3f}, "


def _chosen(options: Namespace) -> Answer:
    from train.fit.choosing import choose, said

    _require(options, "out")
    if options.config is not None:
        raise SettingsError("fit: --choose trains nothing; leave CONFIG.toml away")
    choice = choose(options.out, options.choose)
    return Answer({"out": str(options.out), **choice.model_dump(mode="json")}, said(options.out, choice))


def _require(options: Namespace, *names: str) -> None:
    """Raises SettingsError where one of these is not given."""
    spelled = {"config": "CONFIG.toml", "data": "--data", "out": "--out"}
    absent = [spelled[name] for name in names if getattr(options, name) is None]
    if absent:
        raise SettingsError(f"fit: {', '.join(absent)} missing (see python -m train fit --help)")


VERB: Final = Verb("train a model from a folder of images and write a model package", TEACHING, _arguments, _run)
