"""EOL's four tag tasks as they ship: facts to the bytes of the TSV, each rule on both sides of its edge.

A row of a table below is one image: its bundle columns and what the models said, then what the TSV must hold.
"""

import struct
from pathlib import Path
from typing import Any, Final

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task, TaskFile
from eoltag.model.card import CardInput
from eoltag.model.package import Card, Package
from eoltag.settings import parse, read_toml
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import replace_tags
from eoltag.spark.tables.writers.export import export_tags
from tests.support.paths import ROOT
from tests.support.tables import bundle_rows, facts

pytestmark = pytest.mark.spark
IDS: Final = "eolMediaURL\tidentifier\tdataObjectVersionID\tancestry"
PLANT, GRASS = "Plantae|Rosaceae|Rosa", "Plantae|Poaceae|Poa"

LABELS: Final = {
    "rating": ("bad", "good"),
    "rating_good": ("bad", "good"),
    "rating_five": ("1", "2", "3", "4", "5"),
    "image_type": ("herb", "illus", "map", "null", "phylo"),
    "image_type_512": ("herb", "illus", "map", "null", "phylo"),
    "flower_fruit": ("Flower", "Fruit", "Null"),
    "flower_fruit_comments": ("Flower", "Fruit", "Null"),
    "flowers": ("Branch", "Entire", "Flower", "Fruit", "Leaf", "Stem"),
    "flowers_all": ("Branch", "Entire", "Flower", "Fruit", "Leaf", "Stem"),
}


def after(value: float) -> float:
    """The next larger 32-bit float."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    (larger,) = struct.unpack("<f", struct.pack("<I", bits + 1))
    return float(larger)


def shown(value: float) -> str:
    """A 32-bit float as the TSV shows it: the fewest digits that tell it, and always a point."""
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    text = next(text for text in texts if struct.pack("<f", float(text)) == struct.pack("<f", value))
    return text if "." in text else f"{text}.0"


JUST_OVER_15, JUST_OVER_16 = after(1.5), after(1.6)

# label, logit -> the last columns of the TSV
RATING: Final = [
    (("bad", 1.5), "NA\t1.5"),
    (("bad", JUST_OVER_15), f"bad\t{shown(JUST_OVER_15)}"),
    (("good", 9.0), "NA\t9.0"),
    (("bad", -1.0), "NA\t-1.0"),
]
RATING_GOOD: Final = [(said, tsv.replace("NA", "good")) for said, tsv in RATING]
RATING_FIVE: Final = [((str(k), 0.25), f"{k}\t0.25") for k in range(1, 6)]

# bundle, ancestry, mnorm_pp, label, logit -> mnorm_pp, tag, confidence, tag_cartoon, tag_imtype, problematic
ZOO, PLANTS = "images_for_Aves_breakdown_000001", "images_for_Angiosperms_20K_breakdown_000001"
IMAGE_TYPE: Final = [
    ((ZOO, PLANT, 2.0, "map", 2.5), "2.0\tmap\t2.5\tnon-photo\tmap\t"),
    ((ZOO, PLANT, 2.0000001, "map", 2.5), "2.0000001\tmap\t2.5\tphoto\tnull\t"),
    ((ZOO, PLANT, 1.0, "map", 1.6), "1.0\tmap\t1.6\tnon-photo\tnull\t"),
    ((ZOO, PLANT, 1.0, "map", JUST_OVER_16), f"1.0\tmap\t{shown(JUST_OVER_16)}\tnon-photo\tmap\t"),
    ((ZOO, PLANT, 1.0, "phylo", 3.0), "1.0\tphylo\t3.0\tnon-photo\tphylo\t"),
    ((ZOO, PLANT, 9.0, "phylo", 3.0), "9.0\tphylo\t3.0\tphoto\tnull\t"),
    ((ZOO, PLANT, 1.0, "illus", 3.0), "1.0\tillus\t3.0\tnon-photo\tillus\tmaybe"),
    ((ZOO, PLANT, 9.0, "illus", 0.5), "9.0\tillus\t0.5\tphoto\tnull\tmaybe"),
    ((ZOO, GRASS, 9.0, "null", 3.0), "9.0\tnull\t3.0\tphoto\tnull\tmaybe"),
    ((ZOO, GRASS.upper(), 9.0, "null", 3.0), "9.0\tnull\t3.0\tphoto\tnull\tmaybe"),
    ((ZOO, PLANT, 1.0, "null", 3.0), "1.0\tnull\t3.0\tnon-photo\tnull\t"),
    ((ZOO, PLANT, 9.0, "herb", 3.0), "9.0\therb\t3.0\tphoto\tnull\t"),
    ((PLANTS, PLANT, 15.0, "herb", 0.5), "15.0\therb\t0.5\tnon-photo\therb\t"),
    ((PLANTS, PLANT, 15.0, "map", 0.5), "15.0\tmap\t0.5\tnon-photo\therb\t"),
    ((PLANTS, GRASS, 15.0, "illus", after(0.05)), f"15.0\tillus\t{shown(after(0.05))}\tnon-photo\therb\tmaybe"),
    ((PLANTS, PLANT, 15.0, "herb", 0.05), "15.0\therb\t0.05\tphoto\tnull\t"),
    ((PLANTS, PLANT, 15.5, "herb", 1.7), "15.5\therb\t1.7\tphoto\therb\t"),
    ((PLANTS, PLANT, 15.5, "herb", 1.6), "15.5\therb\t1.6\tphoto\tnull\t"),
    ((PLANTS, PLANT, 1.0, "herb", 0.01), "1.0\therb\t0.01\tnon-photo\tnull\t"),
    ((PLANTS, PLANT, 16.0, "map", 3.0), "16.0\tmap\t3.0\tphoto\tnull\t"),
    ((PLANTS, None, 16.0, "null", 3.0), "16.0\tnull\t3.0\tphoto\tnull\t"),
]

# ancestry, tag7, its logit, tag11, its logit -> reprod by the code, by its comments
FLOWER_FRUIT: Final = [
    ((PLANT, "Flower", 1.6, "Flower", 3.0), "M", "M"),
    ((PLANT, "Flower", JUST_OVER_16, "Flower", 0.1), "Y", "Y"),
    ((PLANT, "Flower", 2.0, "Fruit", 0.1), "Y", "Y"),
    ((PLANT, "Flower", 2.0, "Null", 1.5), "Y", "N"),
    ((PLANT, "Flower", 2.0, "Null", 1.25), "N", "Y"),
    ((PLANT, "Flower", 1.0, "Null", 1.25), "M", "M"),
    ((PLANT, "Fruit", 9.0, "Flower", 9.0), "N", "N"),
    ((PLANT, "Null", 9.0, "Flower", 9.0), "N", "N"),
    ((GRASS, "Flower", 9.0, "Flower", 9.0), "N", "N"),
    ((GRASS.lower(), "Flower", 9.0, "Flower", 9.0), "N", "N"),
    ((None, "Flower", 9.0, "Flower", 9.0), "Y", "Y"),
]


def eol_task(name: str) -> Task:
    """conf/tasks/NAME.toml over packages that only have a card."""
    path = ROOT / f"conf/tasks/{name}.toml"
    file = parse(TaskFile, read_toml(path), str(path))
    size = CardInput(height=32, width=32)
    card = Card(card_version=1, name=name, labels=LABELS[name], input=size, files={})
    versions = [f"{number:012x}" for number in range(len(file.models))]
    packages = {
        model: Package(Path(model), card, version) for model, version in zip(file.models, versions, strict=True)
    }
    return Task(path, file, packages)


def exported(
    session: SparkSession, folder: Path, task: Task, rows: list[dict[str, Any]], said: list[dict[str, Any]]
) -> dict[str, str]:
    """Name -> text of the TSV files."""
    output = Output(session, str(folder / "out"), "run")
    begin(output)
    first = next(iter(task.packages))
    versions = {model: package.version for model, package in task.packages.items()}
    known = facts(session, [{"model": first, **one} for one in said], LABELS[task.path.stem], versions)
    replace_tags(output, tag_rows(bundle_rows(session, rows), known, task), task.name)
    export_tags(output, task)
    end(output)
    return {path.name: path.read_bytes().decode() for path in (folder / "out/tsv" / task.name).iterdir()}


def url(number: int) -> str:
    """Of the image in that row."""
    return f"https://content.eol.org/{number}.jpg"


def identified(number: int, **more: Any) -> dict[str, Any]:
    """A bundle row."""
    return {"eolMediaURL": url(number), "identifier": f"EOL-{number}", "dataObjectVersionID": str(number), **more}


@pytest.mark.parametrize("name", LABELS)
def test_every_shipped_task_is_sound(session: SparkSession, name: str) -> None:
    check_task(session, eol_task(name))


def test_every_task_of_eol_is_tested_here() -> None:
    assert {path.stem for path in (ROOT / "conf/tasks").glob("*.toml")} == {*LABELS, "demo", "phenovision"}


@pytest.mark.parametrize(
    ("name", "table"), [("rating", RATING), ("rating_good", RATING_GOOD), ("rating_five", RATING_FIVE)]
)
def test_rating(session: SparkSession, tmp_path: Path, name: str, table: list[tuple[tuple[str, float], str]]) -> None:
    task = eol_task(name)
    rows = [identified(number, ancestry=PLANT) for number in range(len(table))]
    said = [
        {"eolMediaURL": url(n), "dataObjectVersionID": str(n), "label": label, "logit": logit}
        for n, ((label, logit), _) in enumerate(table)
    ]
    lines = [f"{url(n)}\tEOL-{n}\t{n}\t{PLANT}\t{tsv}\n" for n, (_, tsv) in enumerate(table)]
    assert exported(session, tmp_path, task, rows, said) == {
        "list_finaltags.tsv": f"{IDS}\timclass\tconfidence\n{''.join(lines)}"
    }


def test_image_type(session: SparkSession, tmp_path: Path) -> None:
    task = eol_task("image_type")
    rows, said, wanted = [], [], {ZOO: "", PLANTS: ""}
    for number, ((bundle, ancestry, norm, label, logit), tsv) in enumerate(IMAGE_TYPE):
        rows.append(identified(number, ancestry=ancestry, bundle=bundle))
        said.append(
            {"eolMediaURL": url(number), "dataObjectVersionID": str(number), "label": label, "logit": logit}
            | {"mnorm_pp": norm}
        )
        wanted[bundle] += f"{url(number)}\tEOL-{number}\t{number}\t{ancestry or 'NA'}\t{tsv}\n"
    header = f"{IDS}\tmnorm_pp\ttag\tconfidence\ttag_cartoon\ttag_imtype\tproblematic\n"
    assert exported(session, tmp_path, task, rows, said) == {
        f"{bundle}_finaltags.tsv": header + lines for bundle, lines in wanted.items()
    }


@pytest.mark.parametrize(("name", "column"), [("flower_fruit", 1), ("flower_fruit_comments", 2)])
def test_flower_fruit(session: SparkSession, tmp_path: Path, name: str, column: int) -> None:
    task = eol_task(name)
    rows, said, lines = [], [], []
    for number, row in enumerate(FLOWER_FRUIT):
        ancestry, tag7, logit7, tag11, logit11 = row[0]
        rows.append(identified(number, ancestry=ancestry))
        key = {"eolMediaURL": url(number), "dataObjectVersionID": str(number)}
        said.append({**key, "model": "tag7", "label": tag7, "logit": logit7})
        said.append({**key, "model": "tag11", "label": tag11, "logit": logit11})
        start = f"{url(number)}\tEOL-{number}\t{number}\t{ancestry or 'NA'}"
        lines.append(f"{start}\t{tag7}\t{shown(logit7)}\t{tag11}\t{shown(logit11)}\t{row[column]}\n")
    assert exported(session, tmp_path, task, rows, said) == {
        "list_finaltags.tsv": f"{IDS}\ttag7\ttag7_conf\ttag11\ttag11_conf\treprod\n{''.join(lines)}"
    }


@pytest.mark.parametrize(("name", "written"), [("flowers", ["Flower"]), ("flowers_all", list(LABELS["flowers"]))])
def test_flowers(session: SparkSession, tmp_path: Path, name: str, written: list[str]) -> None:
    task = eol_task(name)
    labels = LABELS["flowers"]
    rows = [identified(n) for n in range(len(labels) + 1)]
    said = [
        {"eolMediaURL": url(n), "dataObjectVersionID": str(n), "label": label, "logit": 0.1}
        for n, label in enumerate(labels)
    ]
    said.append({"eolMediaURL": url(6), "dataObjectVersionID": "6", "outcome": "gone", "detail": "HTTP\t404"})
    lines = [f"{url(n)}\tEOL-{n}\t{n}\tNA\t{label}\n" for n, label in enumerate(labels) if label in written]
    assert exported(session, tmp_path, task, rows, said) == {
        "list_finaltags.tsv": f"{IDS}\ttag\n{''.join(lines)}",
        "list_failures.tsv": "eolMediaURL\tidentifier\tdataObjectVersionID\toutcome\thttp_status\tdetail\n"
        f"{url(6)}\tEOL-6\t6\tgone\t\tHTTP 404\n",
    }
