"""`python -m train prepare KIND ... --out DIR`."""

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from train.cli import Answer, Verb

TEACHING: Final = """\
KIND says what there is: plantclef (PlantCLEF 2016, an XML file beside each JPEG), ratings (EOL's image ratings and
exemplars), lists (classes as lists of URLs), tfrecords (decathlon's shards), folder (a folder of classes) or judgements
(what people said of an output directory's images). --out gets
images/[SPLIT/]CLASS, which `fit --data` takes, manifest.parquet with a row for every image that was looked at,
report.txt, report.json and class_weights.json. Sources are read only. Downloads are kept in OUT/downloads: what was
stopped goes on where it was. The same seed gives the same set. Before --augment-to, look at what it would make:
--preview FILE draws changed copies of a few images, and makes no set.

examples:
  python -m train prepare folder photos --out data/photos --size 224 --split 0.8,0.1,0.1
  python -m train prepare plantclef PlantCLEF2016/train --out data/flowers --count 6000 --size 224
  python -m train prepare ratings --layout quality --out data/rating --size 224
  python -m train prepare ratings --lists mine/bundles
  python -m train prepare lists map=maps.txt phylo=Phylogeny_images.txt --null-folder others --out data/types --cap 800
  python -m train prepare tfrecords shards --labels labels.txt --out data/sports
  python -m train prepare folder photos --preview copies.jpg --augment-set phylogeny --size 224
  python -m train prepare judgements /data/output --task image_type --also data/types --out data/types2 --size 224
  python -m train prepare judgements /data/output --task image_type --labels-out labels.csv
  python -m train prepare KIND --help
"""

_KINDS: Final = {
    "plantclef": "PlantCLEF 2016: seven contents become six classes",
    "ratings": "EOL's image ratings and exemplars: classes 1 to 5, or bad and good",
    "lists": "one list of URLs per class: any file, URL or glob that is a bundle",
    "tfrecords": "TFRecords of decathlon's toolkit: an image and the number of its class in each record",
    "folder": "a folder of classes, flat or with train, val and test inside",
    "judgements": "what people said in eoltag review: the judged images, under the tags that they gave",
}
_DOWNLOADED: Final = ("ratings", "lists", "judgements")


def _arguments(parser: ArgumentParser) -> None:
    kinds = parser.add_subparsers(title="kinds", metavar="KIND", dest="kind", required=True)
    for kind, summary in _KINDS.items():
        sub = kinds.add_parser(kind, help=summary, description=summary, formatter_class=RawDescriptionHelpFormatter)
        _OWN[kind](sub)
        _add_output(sub)
        _add_pictures(sub)
        _add_balance(sub)
        if kind in _DOWNLOADED:
            _add_downloads(sub)


def _plantclef(parser: ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of JPEG files with an XML file beside each")
    drawn = parser.add_mutually_exclusive_group()
    drawn.add_argument("--count", type=int, metavar="N", help="draw N images over all classes")
    drawn.add_argument("--cap", type=int, metavar="N", help="draw N images of each class at most")


def _ratings(parser: ArgumentParser) -> None:
    parser.add_argument("--ratings", metavar="FILE", help="image_ratings.txt[.zip], a file or URL (default EOL's)")
    parser.add_argument("--exemplars", metavar="FILE", help="images_selected_as_exemplar.txt[.zip] (default EOL's)")
    parser.add_argument("--no-exemplars", action="store_true", help="use ratings alone")
    layout = "stars: classes 1 to 5, 5 is best; quality: 1 and 2 are bad, 4 and 5 good (default stars)"
    parser.add_argument("--layout", choices=("stars", "quality"), default="stars", help=layout)
    cap = (
        "draw N images of each star at most (default, as EOL: 7000 of one to four stars; of five all that are rated so"
    )
    cap += ", all exemplars chosen more than once, and 4000 of the others)"
    parser.add_argument("--cap", type=int, metavar="N", help=cap)
    lists = "write EOL's lists one_download.txt to five_download_7k.txt there, and no images"
    parser.add_argument("--lists", type=Path, metavar="DIR", help=lists)


def _lists(parser: ArgumentParser) -> None:
    parser.add_argument("classes", nargs="+", metavar="CLASS=LIST", help="a class may be named several times")
    parser.add_argument(
        "--null-folder", type=Path, metavar="DIR", help="images here that belong to none of the classes"
    )
    parser.add_argument("--null-name", default="null", metavar="CLASS", help="what that class is called (default null)")
    parser.add_argument("--cap", type=int, metavar="N", help="draw N images of each class at most")


def _folder(parser: ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of classes")
    known = (
        "of a set whose images were sorted or renamed since: tells by their content where they came from; repeatable"
    )
    parser.add_argument("--manifest", type=Path, action="append", default=[], metavar="FILE", help=known)
    parser.add_argument("--cap", type=int, metavar="N", help="draw N images of each class at most")


def _tfrecords(parser: ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of .tfrec files")
    parser.add_argument(
        "--labels", required=True, metavar="A,B,C|FILE", help="names of the classes 0, 1, 2, ...; a file: one a line"
    )
    parser.add_argument("--cap", type=int, metavar="N", help="draw N images of each class at most")


def _judgements(parser: ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="the --output directory that holds judgements")
    parser.add_argument("--task", required=True, metavar="NAME", help="the task whose tags were judged")
    parser.add_argument(
        "--rename", nargs="+", default=[], metavar="TAG=CLASS", help="classes that are called otherwise than the tags"
    )
    several = 'of a task with several tags an image, joined by |: each is a label of its own (output = "labels")'
    parser.add_argument("--several", action="store_true", help=several)
    also = "images beside the judged ones, which overrule them: a folder of classes; with --labels-out a CSV of labels"
    parser.add_argument("--also", type=Path, metavar="PATH", help=also)
    labels = "write only this table of labels, for fit --features OUTPUT --labels FILE"
    parser.add_argument("--labels-out", type=Path, metavar="FILE", help=labels)
    fetched = "fetch the images though OUTPUT keeps copies of them: larger, and one request each"
    parser.add_argument("--fetch", action="store_true", help=fetched)
    parser.add_argument("--cap", type=int, metavar="N", help="draw N images of each class at most")


_OWN: Final = {
    "plantclef": _plantclef,
    "ratings": _ratings,
    "lists": _lists,
    "tfrecords": _tfrecords,
    "folder": _folder,
    "judgements": _judgements,
}


def _add_output(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write")
    preview = "write only this JPEG: a few images with changed copies of them, as --augment-to would make"
    parser.add_argument("--preview", type=Path, metavar="FILE", help=preview)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, another draw (default 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace the set that --out holds; keep its downloads")
    parser.add_argument("--quarantine", action="store_true", help="copy files that were left out to OUT/quarantine")
    parser.add_argument("--processes", type=int, metavar="N", help="default: one for each core")
    parser.add_argument("--json", action="store_true", default=SUPPRESS, help="print one JSON document on stdout")


def _add_pictures(parser: ArgumentParser) -> None:
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument("--size", metavar="PX", help="224, or WIDTHxHEIGHT; default: keep the size")
    fit = "crop: shorter side to the size, then the middle; stretch: both sides (default crop)"
    pictures.add_argument("--fit", choices=("crop", "stretch"), default="crop", help=fit)
    pictures.add_argument("--format", choices=("jpg", "png"), default="jpg", help="of changed images (default jpg)")
    pictures.add_argument("--min-side", type=int, default=32, metavar="PX", help="leave out smaller ones (default 32)")
    pictures.add_argument("--allow-animated", action="store_true", help="take the first frame of moving images")


def _add_balance(parser: ArgumentParser) -> None:
    balance = parser.add_argument_group("split and balance")
    balance.add_argument("--split", metavar="SHARES", help="as 0.8,0.1,0.1: train, val and test")
    near = "copies, also turned and mirrored, whose hashes differ in so many of 64 bits stay in one split (default 8)"
    balance.add_argument("--near-bits", type=int, default=8, metavar="N", help=near)
    balance.add_argument(
        "--augment-to", type=int, metavar="N", help="changed copies until every class has N to learn from"
    )
    sets = "decathlon: distort, flip, crop, erase, tilt; phylogeny: crop, rotate, blur, hue and saturation"
    balance.add_argument("--augment-set", choices=("decathlon", "phylogeny"), default="decathlon", help=sets)


def _add_downloads(parser: ArgumentParser) -> None:
    downloads = parser.add_argument_group("downloads")
    downloads.add_argument(
        "--config", type=Path, metavar="FILE", help="settings with a [fetch] section; see conf/jobs/"
    )
    downloads.add_argument("--allow-private-hosts", action="store_true", help="fetch from private addresses as well")
    downloads.add_argument("--retry-failed", action="store_true", help="ask again for what servers refused for good")


def _run(options: Namespace) -> Answer:
    from train.prepare.kinds import prepare_kind

    made = prepare_kind(options)
    if options.out is None:
        return Answer(made.document(), made.text())
    return Answer({"out": str(options.out), **made.document()}, f"{options.out}\n{made.text()}")


VERB: Final = Verb("make a set of training images from what others publish", TEACHING, _arguments, _run)
