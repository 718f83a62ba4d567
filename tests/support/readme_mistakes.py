"""What may go wrong, as the README tells it: the mistakes, and a folder to make them in."""

import hashlib
import importlib
import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

from eoltag.model.card import CardInput
from eoltag.model.package import Card, write_card
from eoltag.spark.runtime.command import run_command
from train import __main__ as train

Files = dict[str, str | bytes]

TAG: Final = "tag_bundles.py --bundle list.txt --task kind.toml --output out"
TAG_ZIP: Final = TAG.replace("list.txt", "list.zip")
TAG_CSV: Final = TAG.replace("list.txt", "list.csv")
TAG_OLD: Final = TAG.replace("--output out", "--output old")
KIND: Final = 'name = "kind"\nmodels.main.package = "model"\n'
SEEN: Final = f"sha256\tsplit\tlabel\n{hashlib.sha256(b'a').hexdigest()}\ttrain\tmap\n"

MISTAKES: Final[dict[str, tuple[Files, str]]] = {
    "there is no such bundle": ({}, TAG.replace("list.txt", "lists.txt")),
    "the bundle is empty": ({"list.txt": ""}, TAG),
    "it holds only comments": ({"list.txt": "# to do\n\n"}, TAG),
    "a web page was saved in its place": ({"list.txt": "<!DOCTYPE html>\n<title>404</title>\n"}, TAG),
    "it is an image": ({"list.txt": b"\xff\xd8\xff\xe0JFIF"}, TAG),
    "the zip was not downloaded to its end": ({"list.zip": b"PK\x03\x04"}, TAG_ZIP),
    "no column holds URLs": ({"list.csv": "name,rank\nRosa,genus\n"}, TAG_CSV),
    "a table came without its header": ({"list.txt": "12\thttps://eol.org/1.jpg\n"}, TAG),
    "a quote in a CSV is never closed": ({"list.csv": 'url,title\nhttps://eol.org/1.jpg,"A rose\n'}, TAG_CSV),
    "a range runs backwards": ({}, TAG.replace("list.txt", "list_{9..1}.txt")),
    "the bundle's server does not have it": ({}, TAG.replace("list.txt", "BASE/status/404/list.txt")),
    "the task is unknown": ({}, TAG.replace("kind.toml", "ratings")),
    "a key of the task file is misspelt": ({"kind.toml": f'mising = "NA"\n{KIND}'}, TAG),
    "the card has no such threshold": (
        {"kind.toml": KIND + '[[rules]]\nname = "maps"\nwhen = "logit > ${threshold.map}"\ntag = "map"\n'},
        TAG,
    ),
    "a rule is no SQL": (
        {"kind.toml": KIND + '[[rules]]\nname = "maps"\nwhen = "label = = \'map\'"\ntag = "map"\n'},
        TAG,
    ),
    "a rule uses a function that is not in the list": (
        {"kind.toml": KIND + '[[rules]]\nname = "maps"\nwhen = "rand() > 0.5"\ntag = "map"\n'},
        TAG,
    ),
    "a rule holds a comment": (
        {"kind.toml": KIND + '[[rules]]\nname = "maps"\nwhen = "label = \'map\' -- sure"\ntag = "map"\n'},
        TAG,
    ),
    "a rule names a label that is not there": (
        {"kind.toml": KIND + '[[rules]]\nname = "maps"\nwhen = "label = \'Map\'"\ntag = "map"\n'},
        TAG,
    ),
    "there is no package": ({"kind.toml": KIND.replace('"model"', '"models/none"')}, TAG),
    "a folder holds several attempts, none of them chosen": (
        {
            "kind.toml": KIND.replace('"model"', '"mine"'),
            "mine/001/package/card.json": "{}",
            "mine/002/package/card.json": "{}",
        },
        TAG,
    ),
    "a file of the package was changed": ({"model/openvino/model.bin": "other"}, TAG),
    "the package is of another version": ({"model/card.json": '{"card_version": 2}'}, TAG),
    "a setting is unknown": ({"job.toml": "[fetch]\ntimeout = 3\n"}, f"{TAG} --config job.toml"),
    "a setting is out of range": ({"job.toml": "[fetch]\nconcurrency = 0\n"}, f"{TAG} --config job.toml"),
    "the settings are no TOML": ({"job.toml": "[fetch\n"}, f"{TAG} --config job.toml"),
    "an option is out of range": ({}, f"{TAG} --max-failure-rate 1.5"),
    "an option is missing": ({}, TAG.replace(" --output out", "")),
    "`fit` finds only one class": ({"photos/fruit/a.jpg": ""}, "train fit train.toml --data photos --out new"),
    "`evaluate` finds a folder that is no label": ({"photos/fruit/a.jpg": ""}, "train evaluate model photos"),
    "`thresholds` is given images that the model learned from": (
        {"photos/map/a.jpg": "a", "photos/map/b.jpg": "b", "model/data.tsv": SEEN},
        "train thresholds model photos --max-error 0.1",
    ),
    "`fit` is to write into a package": ({}, "train fit train.toml --data photos --out model"),
}
"""What is wrong -> the files that make it so, and the command. No Spark is needed."""

CLAIM: Final = (
    '{"run_id": "20260101T000000.000Z-0a1b2c", "host": "head", "pid": 4711, "process": "", "stale_s": 300.0, '
    '"is_held": true}'
)
"""The lock of a run on another machine."""

SPARK_MISTAKES: Final[dict[str, tuple[Files, str]]] = {
    "a rule names a column that is not there": (
        {"kind.toml": KIND + '[[rules]]\nname = "grass"\nwhen = "ancestri LIKE \'%Poaceae%\'"\ntag = "grass"\n'},
        TAG,
    ),
    "the output is of another eoltag": ({"old/_schema.json": '{"schema_version": 1}'}, TAG_OLD),
    "the output was written by something else": ({"old/tags/a.parquet": ""}, TAG_OLD),
    "another run is at work on the output": (
        {"out/_staging/lock/20260101T000000.000Z-0a1b2c.json": CLAIM},
        TAG,
    ),
    "nothing was tagged yet that could be decided": ({}, "decide_tags.py --task kind.toml --output out"),
    "too many rows failed (exit code 3)": ({"list.txt": "url\nrose\nlily\n"}, TAG),
}
"""The same for what only Spark can tell."""


def lay_desk(folder: Path) -> None:
    """The package has no model in it, only what is read before a worker needs one."""
    write(folder, {"model/openvino/model.xml": "<net/>", "model/openvino/model.bin": "weights"})
    card = Card(card_version=1, name="kind", labels=("map", "photo"), input=CardInput(height=32, width=32), files={})
    write_card(folder / "model", card)
    write(folder, {"list.txt": "https://eol.org/a.jpg\n", "kind.toml": KIND, "train.toml": 'name = "x"\n'})


def write(folder: Path, files: Files) -> None:
    """The files, with their folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a job or verb, run in this process."""
    program, *words = shlex.split(command)
    if program == "train":
        return train.main(words)
    monkeypatch.setattr(sys, "argv", [program, *words])
    try:
        return run_command(importlib.import_module(f"jobs.{program.removesuffix('.py')}").main)
    except SystemExit as stopped:
        return int(stopped.code or 0)
