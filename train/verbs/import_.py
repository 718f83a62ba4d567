"""`python -m train import SOURCE --labels ...`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eoltag.errors import DataError
from train.cli import Answer, Verb

if TYPE_CHECKING:
    from train.import_.foreign import ImportRequest

TEACHING: Final = """\
SOURCE is a TensorFlow SavedModel folder, or a .keras or .h5 file of Keras 2 or 3 that holds a whole model: a
classifier of RGB images. Scaling goes into the graph, so that the package takes plain images; softmax outputs become
logits by their logarithm. A model of two labels may have one output, the score of the second (--output sigmoid; or
logits, where it has no activation). Augmentation layers are left out, and 16-bit layers compute in float32. The
scores of the package are compared with those of SOURCE before it appears. Files that would run code (pickles, Lambda
layers, Python functions in a SavedModel) are refused. An .h5 file with weights alone wants --network, the settings of
a network that `fit` makes: scratch, vgg or peetz_net; --scaling and --output are then known.

decathlon's hyperparameters_search.pickle, read without running anything in it, becomes settings for `fit`.

--scaling says what SOURCE was trained on:
  unit    0 to 1      (rescale=1/255: EOL's training notebooks, both toolkits)
  signed  -1 to 1     (mobilenet_v2.preprocess_input: EOL's published predictions for rating and image_type)
  torch   0 to 1, less ImageNet's mean, over its standard deviation
  caffe   BGR, less ImageNet's mean (resnet50.preprocess_input)
  none    0 to 255    (EfficientNet and others that scale by themselves)

examples:
  python -m train import rating/saved_model --labels bad,good --scaling signed --output logits --out models/rating
  python -m train import cars_tanks.h5 --labels cars,tanks --scaling unit --output softmax --fit crop --out models/tanks
  python -m train import model.keras --labels labels.txt --size 299 --scaling unit --output softmax --out models/new
  python -m train import weights.h5 --network conf/train/peetz_net.toml --labels cars,tanks --out models/peetz
  python -m train import hyperparameters_search.pickle --out mine/decathlon.toml
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="SavedModel folder, .keras or .h5 file, or a search"
    )
    parser.add_argument("--labels", metavar="A,B,C|FILE", help="in the order of the outputs; a file holds one a line")
    parser.add_argument(
        "--scaling",
        choices=("unit", "signed", "torch", "caffe", "none"),
        help="what the pixels are turned into before SOURCE sees them",
    )
    parser.add_argument(
        "--output",
        choices=("logits", "softmax", "sigmoid", "labels", "label_logits"),
        help="raw scores; probabilities that sum to 1; one probability, that of the second of two labels; or labels "
        "that are yes or no by themselves, as probabilities or as raw scores",
    )
    parser.add_argument(
        "--network", type=Path, metavar="CONFIG.toml", help="of weights alone: the settings of their network"
    )
    parser.add_argument(
        "--size", metavar="N|HxW", help="height and width of the input in pixels, where SOURCE does not fix them"
    )
    parser.add_argument(
        "--fit", choices=("stretch", "crop", "pad"), default="stretch", help="how pictures get that size"
    )
    parser.add_argument(
        "--resample",
        choices=("nearest", "bilinear", "bicubic", "lanczos", "box"),
        default="bilinear",
        help="how they are scaled (default bilinear)",
    )
    parser.add_argument("--name", metavar="NAME", help="of the package (default: the name of --out)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="model package to write; FILE.toml for settings"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what --out holds")


def _run(options: Namespace) -> Answer:
    from train.import_.decathlon import PICKLES, import_parameters
    from train.import_.run import import_model

    if options.source.suffix.lower() in PICKLES and options.out.suffix == ".toml":
        found = import_parameters(options.source, options.out, overwrite=options.overwrite)
        lines = [f"{name} = {value}" for name, value in found["parameters"].items()]
        return Answer(found, "\n".join([*lines, f"{found['out']}: the same as settings for `fit`"]))
    summary = import_model(_request(options))
    text = (
        f"{summary['out']}: version {summary['model_version']}, {len(summary['labels'])} labels, for "
        f"{' and '.join(summary['engines'])}; logits differ from the source by up to {summary['differs_by']:.2g} over "
        f"{summary['images_compared']} images"
    )
    return Answer(summary, text)


def _request(options: Namespace) -> "ImportRequest":
    """Raises UsageError."""
    from train.import_.foreign import ImportRequest
    from train.import_.run import read_size
    from train.labels import read_labels
    from train.settings import read_fit_settings

    network = read_fit_settings(options.network) if options.network else None
    known = ("labels",) if network else ("labels", "scaling", "output")
    absent = [f"--{name}" for name in known if getattr(options, name) is None]
    if absent:
        raise DataError(f"import: {', '.join(absent)} missing (see python -m train import --help)")
    return ImportRequest(
        source=options.source,
        labels=read_labels(options.labels),
        scaling="none" if network else options.scaling,
        output="logits" if network else options.output,
        size=read_size(options.size),
        fit=network.fit if network else options.fit,
        resample=network.resample if network else options.resample,
        name=options.name or options.out.resolve().name,
        out=options.out,
        overwrite=options.overwrite,
        network=network,
    )


VERB: Final = Verb("make a package from a TensorFlow SavedModel, .keras or .h5 file", TEACHING, _arguments, _run)
