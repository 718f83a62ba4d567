"""`python -m train import SOURCE --labels ...`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from train.cli import Answer, Verb

TEACHING: Final = """\
SOURCE is a TensorFlow SavedModel folder, a .keras file or an .h5 file that holds a whole model: a classifier of RGB
images. Scaling goes into the graph, so that the package takes plain images; softmax outputs become logits by their
logarithm. The scores of the package are compared with those of SOURCE before it appears. Files that would run code
(pickles, Lambda layers, Python functions in a SavedModel) are refused.

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
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="SavedModel folder, .keras or .h5 file")
    parser.add_argument(
        "--labels", required=True, metavar="A,B,C|FILE", help="in the order of the outputs; a file holds one a line"
    )
    parser.add_argument(
        "--scaling",
        required=True,
        choices=("unit", "signed", "torch", "caffe", "none"),
        help="what the pixels are turned into before SOURCE sees them",
    )
    parser.add_argument(
        "--output", required=True, choices=("logits", "softmax"), help="raw scores, or probabilities that sum to 1"
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
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model package to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the package that --out holds")


def _run(options: Namespace) -> Answer:
    from train.import_.foreign import ImportRequest
    from train.import_.run import import_model, read_labels, read_size

    summary = import_model(
        ImportRequest(
            source=options.source,
            labels=read_labels(options.labels),
            scaling=options.scaling,
            output=options.output,
            size=read_size(options.size),
            fit=options.fit,
            resample=options.resample,
            name=options.name or options.out.resolve().name,
            out=options.out,
            overwrite=options.overwrite,
        )
    )
    text = (
        f"{summary['out']}: version {summary['model_version']}, {len(summary['labels'])} labels, for "
        f"{' and '.join(summary['engines'])}; logits differ from the source by up to {summary['differs_by']:.2g} over "
        f"{summary['images_compared']} images"
    )
    return Answer(summary, text)


VERB: Final = Verb("make a package from a TensorFlow SavedModel, .keras or .h5 file", TEACHING, _arguments, _run)
