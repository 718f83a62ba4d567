"""The rules of the house that a reviewer would otherwise have to watch: who imports whom, and where errors lead."""

import ast
import pickle
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from eoltag import errors
from eoltag.errors import ExitCode, ImageError, UsageError
from eoltag.model.card import CardInput
from eoltag.model.package import Card
from eoltag.pipeline.models import Models, ModelSource
from eoltag.pipeline.partition import Job
from eoltag.records import (
    TRANSIENT,
    Cut,
    Decoded,
    Fetched,
    FetchRequest,
    ImageRef,
    InputSpec,
    KnownContent,
    ModelSlot,
    Outcome,
    WantedImage,
)
from eoltag.report.top_k import plan_thumbnails
from eoltag.settings import EngineSettings, Settings
from eoltag.spark.predict.known import ContentHashes
from tests.support.paths import ROOT

PACKAGES = ("eoltag", "train", "jobs")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
MOST_FILES = 15
"""Python files of a folder: more want a street of their own."""

_SPARK = "eoltag.spark"
_SERVERS = ("fastapi", "starlette", "uvicorn", "h11", "python_multipart", "prometheus_client")
MAY_IMPORT = {
    # Values that every room may use: records, errors, settings.
    "eoltag": [],
    # Stages: none imports another, only what stands in its row.
    "eoltag.fetch": [],
    "eoltag.bundle.formats": [],
    "eoltag.bundle": ["eoltag.bundle.formats", "eoltag.fetch"],
    "eoltag.image.features": ["eoltag.image"],
    "eoltag.image": [],
    "eoltag.model.outputs": [],
    "eoltag.model": ["eoltag.model.outputs"],
    "eoltag.model.engines": ["eoltag.model", "eoltag.model.outputs"],
    "eoltag.publish": [],
    "eoltag.decide": ["eoltag.image.features", "eoltag.model", "eoltag.publish"],
    "eoltag.report": ["eoltag.fetch", "eoltag.publish"],
    "eoltag.judgements": ["eoltag.local"],
    "eoltag.audit": ["eoltag.judgements", "eoltag.local", "eoltag.publish"],
    "eoltag.review": ["eoltag.audit", "eoltag.judgements"],
    # What people read of the tables: SQL from the columns, the model records and the output kinds.
    "eoltag.views": ["eoltag.model", "eoltag.model.outputs"],
    "eoltag.vectors": [],
    # This machine's processes and disks; no pyspark.
    "eoltag.local": [],
    # The order of the stages inside one Spark task; no pyspark.
    "eoltag.pipeline": [
        "eoltag.fetch", "eoltag.image", "eoltag.image.features",
        "eoltag.model", "eoltag.model.engines", "eoltag.model.outputs", "eoltag.report",
    ],
    # Spark, from the ground up.
    _SPARK: ["eoltag.bundle", "eoltag.publish"],
    f"{_SPARK}.runtime": ["eoltag.local"],
    f"{_SPARK}.tables": [
        "eoltag.bundle", "eoltag.decide", "eoltag.image.features", "eoltag.local", "eoltag.model", "eoltag.report",
        _SPARK,
    ],
    f"{_SPARK}.tables.writers": ["eoltag.decide", f"{_SPARK}.tables"],
    f"{_SPARK}.predict": [
        "eoltag.bundle", "eoltag.decide", "eoltag.image", "eoltag.model", "eoltag.pipeline", "eoltag.report",
        _SPARK, f"{_SPARK}.runtime", f"{_SPARK}.tables",
    ],
    f"{_SPARK}.decide": [
        "eoltag.decide", "eoltag.model", "eoltag.model.outputs", "eoltag.report",
        f"{_SPARK}.tables", f"{_SPARK}.tables.writers",
    ],
    f"{_SPARK}.frames": [
        "eoltag.decide", "eoltag.model", "eoltag.pipeline",
        *(f"{_SPARK}.{room}" for room in ("runtime", "tables", "predict", "decide")),
    ],
    f"{_SPARK}.report": [
        "eoltag.decide", "eoltag.judgements", "eoltag.publish", "eoltag.report", "eoltag.views", f"{_SPARK}.tables",
    ],
    f"{_SPARK}.publish": [
        "eoltag.decide", "eoltag.local", "eoltag.publish",
        *(f"{_SPARK}.{room}" for room in ("tables", "decide", "report")),
    ],
    f"{_SPARK}.verify": [
        "eoltag.bundle", "eoltag.decide", "eoltag.publish",
        *(f"{_SPARK}.{room}" for room in ("tables", "tables.writers", "decide", "publish")),
    ],
    f"{_SPARK}.jobs": [
        "eoltag.bundle", "eoltag.decide", "eoltag.model", "eoltag.publish", "eoltag.report", "eoltag.vectors", _SPARK,
        *(f"{_SPARK}.{room}" for room in ("runtime", "tables", "predict", "decide", "report", "publish", "verify")),
    ],
    f"{_SPARK}.start": [
        "eoltag.model", _SPARK, *(f"{_SPARK}.{room}" for room in ("runtime", "predict", "jobs")),
    ],
    # Entry points: arguments to requests, nothing else.
    "eoltag.demo": [],
    "eoltag.commands": [
        "eoltag.bundle", "eoltag.decide", "eoltag.demo", "eoltag.local", "eoltag.publish", "eoltag.views", _SPARK,
        f"{_SPARK}.jobs", f"{_SPARK}.runtime",
    ],
    "eoltag.commands.people": [
        "eoltag.audit", "eoltag.judgements", "eoltag.local", "eoltag.publish", "eoltag.report", "eoltag.review",
    ],
    "jobs": ["eoltag.commands", f"{_SPARK}.runtime"],
    # Training: its values (cli, settings), then images on disk, then the verbs' own rooms.
    "train": ["eoltag.local", "eoltag.model"],
    "train.architectures": ["train"],
    "train.samples": ["train", "train.images"],
    "train.images": ["eoltag.fetch", "eoltag.image", "train"],
    "train.package": ["eoltag.local", "eoltag.model", "eoltag.model.engines", "train"],
    "train.report": ["train.package"],
    "train.similar": ["eoltag.image", "train", "train.images"],
    "train.data": ["eoltag.image", "train", "train.images", "train.similar"],
    "train.collect.providers": ["eoltag.bundle", "eoltag.fetch"],
    "train.collect": ["eoltag.fetch", "eoltag.image", "train", "train.collect.providers", "train.images"],
    "train.cartoonize": ["eoltag.image", "train", "train.images"],
    "train.dedupe": ["train", "train.images", "train.similar"],
    "train.prepare.sources": [
        "eoltag.bundle", "eoltag.bundle.formats", "eoltag.fetch", "eoltag.judgements", "train", "train.images",
    ],
    "train.prepare": [
        "eoltag.bundle", "eoltag.fetch", "eoltag.image", "eoltag.judgements",
        "train", "train.data", "train.images", "train.prepare.sources", "train.similar",
    ],
    "train.evaluate": [
        "eoltag.bundle", "eoltag.image", "eoltag.judgements", "eoltag.local", "eoltag.model", "eoltag.model.engines",
        "eoltag.model.outputs", "eoltag.views", "train", "train.data", "train.images", "train.package", "train.report",
    ],
    "train.evaluate.labels": [
        "eoltag.model", "eoltag.model.outputs", "train", "train.data", "train.evaluate", "train.images",
        "train.package", "train.report",
    ],
    "train.thresholds": [
        "eoltag.audit", "eoltag.model", "train", "train.evaluate", "train.images", "train.package", "train.report",
    ],
    "train.export": [
        "eoltag.image", "eoltag.model", "eoltag.model.engines", "eoltag.model.outputs", "train", "train.images",
        "train.package",
    ],
    "train.import_": ["eoltag.model", "train", "train.architectures", "train.package"],
    "train.serving": [
        "eoltag.image", "eoltag.model", "eoltag.model.engines", "eoltag.model.outputs", "train", "train.evaluate",
    ],
    "train.optimization": ["train"],
    "train.fit.outputs": [
        "eoltag.model.outputs", "train", "train.data", "train.evaluate", "train.evaluate.labels", "train.images",
        "train.optimization",
    ],
    "train.fit": [
        "eoltag.image", "eoltag.model", "eoltag.model.engines",
        "train", "train.architectures", "train.data", "train.evaluate.labels", "train.fit.outputs", "train.images",
        "train.optimization", "train.package",
    ],
    "train.compare": [
        "eoltag.model", "eoltag.model.engines", "train", "train.evaluate", "train.evaluate.labels", "train.fit",
        "train.report",
    ],
    "train.tune": ["train", "train.data", "train.fit", "train.images", "train.report"],
    # A file for each verb: its options, and the call of what does the work, whichever room that is in.
    "train.verbs": [
        "eoltag.image", "train", "train.cartoonize", "train.collect", "train.collect.providers", "train.compare",
        "train.dedupe", "train.evaluate", "train.evaluate.labels", "train.export", "train.fit", "train.images",
        "train.import_", "train.prepare",
        "train.report", "train.samples", "train.serving", "train.similar", "train.thresholds", "train.tune",
    ],
}  # fmt: skip
"""Folder -> the folders that its files may import; `eoltag` itself, the values, is open to all."""

ROOMS_OF = {
    "pyspark": ["eoltag/spark/"],
    "py4j": ["eoltag/spark/"],
    "openvino": ["eoltag/model/engines/openvino.py", "eoltag/model/engines/layout.py", "train/"],
    "PIL": [
        "eoltag/image/decode.py",
        "eoltag/image/bounds.py",
        "eoltag/image/copies.py",
        "eoltag/image/samples.py",
        "eoltag/report/thumbnails.py",
        "train/",
    ],
    "jinja2": ["eoltag/report/", "train/"],
    "matplotlib": ["eoltag/report/", "train/"],
    "cv2": ["eoltag/image/cartoon.py", "train/"],
    "cykooz_resizer": ["eoltag/image/resize.py"],
    "optuna": ["train/tune/"],
    "sqlalchemy": ["train/tune/"],
    "aiohttp": ["eoltag/fetch/"],
    "sqlglot": ["eoltag/decide/expressions.py", "eoltag/decide/cuts.py", "eoltag/decide/own_labels.py"],
    **{library: ["eoltag/model/engines/keras.py", "train/"] for library in ("keras", "tensorflow", "torch", "jax")},
    **{library: ["train/serving/", "eoltag/review/", "eoltag/commands/people/review.py"] for library in _SERVERS},
    "duckdb": ["eoltag/review/"],
    "scipy": ["eoltag/audit/", "train/"],
    "deltalake": ["eoltag/spark/tables/writers/delta.py"],
    "prometheus_client": ["train/serving/", "eoltag/report/metrics.py"],
}
"""Heavy library -> the only places that import it."""


def name_of(path: Path) -> str:
    """The module's full name; a package's is that of its folder."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def folder_of(path: Path) -> str:
    """The package in which a module lies."""
    return ".".join(path.relative_to(ROOT).parent.parts)


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FOLDER_OF = {name_of(path): folder_of(path) for path in FILES}


def folders_imported(path: Path) -> set[str]:
    """The folders whose modules a file imports, its own aside; `from train import cli` imports cli alone."""
    names = imports(path)
    modules = {name for name in names if name in FOLDER_OF}
    used = {name for name in modules if not any(other.startswith(f"{name}.") for other in modules)}
    return {name if name in MAY_IMPORT else FOLDER_OF[name] for name in used} - {folder_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_imports_only_what_the_table_allows(path: Path) -> None:
    if path.name == "__main__.py":
        return  # it starts everything and nobody imports it
    assert folders_imported(path) <= {"eoltag", *MAY_IMPORT[folder_of(path)]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    inside = path.relative_to(ROOT).as_posix()
    for library in {name.split(".")[0] for name in imports(path)} & set(ROOMS_OF):
        assert inside.startswith(tuple(ROOMS_OF[library])), library


def test_the_table_names_every_folder_and_has_no_circle() -> None:
    assert set(MAY_IMPORT) == {folder_of(path) for path in FILES}
    list(TopologicalSorter(MAY_IMPORT).static_order())


def test_the_library_never_imports_training_or_jobs() -> None:
    for folder, others in MAY_IMPORT.items():
        if folder.startswith("eoltag"):
            assert all(other.startswith("eoltag") for other in others), folder


def test_no_folder_holds_more_files_than_a_reader_can_hold() -> None:
    for folder in MAY_IMPORT:
        files = list((ROOT / Path(*folder.split("."))).glob("*.py"))
        assert len(files) <= MOST_FILES, folder


def all_kinds(root: type[Exception]) -> list[type[Exception]]:
    """Every class below `root`."""
    return [kind for below in root.__subclasses__() for kind in (below, *all_kinds(below))]


def test_every_failed_outcome_has_an_error_and_every_image_error_an_outcome() -> None:
    raised = {kind.outcome for kind in all_kinds(ImageError) if issubclass(kind, ImageError)}
    assert raised == set(Outcome) - {Outcome.OK}


def test_every_usage_error_says_its_exit_code_and_every_error_stands_in_the_drawn_tree() -> None:
    assert {kind.exit_code for kind in all_kinds(UsageError) if issubclass(kind, UsageError)} == {ExitCode.UNUSABLE}
    assert errors.__doc__ is not None
    for kind in all_kinds(errors.EolTagError):
        assert kind.__name__ in errors.__doc__, kind


def test_ok_and_lasting_failures_are_final() -> None:
    assert Outcome.OK.is_final
    assert {outcome for outcome in Outcome if not outcome.is_final} == TRANSIENT
    assert {str(outcome) for outcome in TRANSIENT} == {"dns", "connect", "tls", "timeout", "throttled", "server_error"}


class Packed(NamedTuple):
    """A packed package, where Spark has its broadcast."""

    value: bytes


CARD = Card(card_version=1, name="n", labels=("a", "b"), input=CardInput(height=32, width=32), files={})
SOURCE = ModelSource("openvino", CARD, whole=Packed(b"packed"))


@pytest.mark.parametrize(
    "value",
    [
        Settings(),
        ImageRef(1, "https://eol.org/a.jpg"),
        WantedImage(
            FetchRequest("https://eol.org/a.jpg", etag='"e"'),
            KnownContent("c0" * 32, 1, 2, 3, "RGB", "00"),
            ("v1",),
            ("x", 1),
        ),
        Fetched(b"x", Outcome.OK, None, 200, 1),
        InputSpec(224, 224, "stretch", "bilinear"),
        ModelSlot("kind", "main", "abc"),
        Decoded((), 1, 1, "RGB", "00"),
        Cut("rule", "main", "logit", 1.5, ("bad",)),
        plan_thumbnails("main", "abc", 2, [Cut("rule", "main", "logit", 1.5)], 10),
        SOURCE,
        Models({"v1": SOURCE}, (ModelSlot("kind", "main", "v1"),), EngineSettings(), threads=1),
        Job(Models({"v1": SOURCE}, (), EngineSettings(), threads=1), Settings(), ("mnorm_pp",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_travels_to_executors_survives_the_journey(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


def test_known_contents_are_the_same_after_the_journey() -> None:
    known = pickle.loads(pickle.dumps(ContentHashes(np.array([1, 0xC0FFEE], np.uint64))))
    assert [f"{number:016x}{'0' * 48}" in known for number in (1, 2, 0xC0FFEE)] == [True, False, True]
