"""The house rules that a reviewer would otherwise have to watch: who imports whom, and errors that lead somewhere."""

import ast
import pickle
from pathlib import Path

import pytest

from eoltag import errors
from eoltag.errors import ExitCode, ImageError, UsageError
from eoltag.model.package import Card, CardInput
from eoltag.pipeline.partition import ModelSource
from eoltag.records import TRANSIENT, Cut, Decoded, Fetched, ImageRef, InputSpec, ModelSlot, Outcome, Wanted
from eoltag.report.thumbnails import Shelf, Thumbnail, shelf_for
from eoltag.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
EOLTAG = sorted((ROOT / "eoltag").rglob("*.py"))
TRAIN = sorted((ROOT / "train").rglob("*.py"))
JOBS = sorted((ROOT / "jobs").rglob("*.py"))

VALUES = {"records", "errors", "settings", "urls", "retry"}
"""Anyone may use these."""
STAGES = {
    "bundle": {"bundle_layout", "bundle_text"},
    "fetch": {"addresses", "answers", "connection", "hosts", "renditions", "sinks", "read_ahead"},
    "decode": {"resize"},
    "engines": {"package"},
    "score": set(),
    "cartoon": set(),
    "decide": {"package", "conditions"},
    "cuts": set(),
    "thumbnails": set(),
    "report": set(),
}
"""Each with its own rooms; a stage never imports another."""


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms(path: Path, package: str) -> set[str]:
    """First-level modules of `package` that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{package}.") and name.count(".") >= 1}


def tops(path: Path) -> set[str]:
    """Top-level packages that a file imports."""
    return {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", EOLTAG, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_never_imports_training_or_jobs(path: Path) -> None:
    assert not tops(path) & {"train", "jobs", "tests", "benchmarks"}


@pytest.mark.parametrize("path", [*EOLTAG, *TRAIN], ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    inside = path.relative_to(ROOT).as_posix()
    if "pyspark" in tops(path):
        assert inside.startswith("eoltag/spark/")
    if tops(path) & {"keras", "tensorflow", "torch", "jax"}:
        assert inside == "eoltag/model/engines/keras.py" or inside.startswith("train/")
    if "openvino" in tops(path):
        assert inside.startswith(("eoltag/model/engines/openvino.py", "eoltag/model/engines/layout.py", "train/"))
    if "PIL" in tops(path):
        assert inside in ("eoltag/image/decode.py", "eoltag/report/thumbnails.py") or inside.startswith("train/")
    if tops(path) & {"fastapi", "starlette", "uvicorn", "h11", "python_multipart", "prometheus_client"}:
        assert inside.startswith("train/serving/")
    if tops(path) & {"jinja2", "matplotlib"}:
        assert inside.startswith(("eoltag/report/", "train/"))
    if "cv2" in tops(path):
        assert inside == "eoltag/image/cartoon.py" or inside.startswith("train/")
    if "cykooz_resizer" in tops(path):
        assert inside == "eoltag/image/resize.py"
    if "optuna" in tops(path):
        assert inside.startswith("train/tuning")
    if "aiohttp" in tops(path):
        assert path.stem in {"fetch", *STAGES["fetch"]}


@pytest.mark.parametrize(("stage", "own"), STAGES.items())
def test_a_stage_never_imports_another(stage: str, own: set[str]) -> None:
    mine = {stage, *own}
    for path in EOLTAG:
        room = path.relative_to(ROOT / "eoltag").parts[0].removesuffix(".py")
        if room in {stage, *(own - {"package"})}:
            assert rooms(path, "eoltag") <= VALUES | mine | {"__version__"}, path


def test_training_uses_only_the_rooms_it_shares_with_the_job() -> None:
    allowed = {
        *VALUES,
        "cartoon",
        "decode",
        "package",
        "engines",
        "score",
        "fetch",
        "read_ahead",
        "bundle",
        "bundle_text",
        "__version__",
    }
    for path in TRAIN:
        assert rooms(path, "eoltag") <= allowed, path


def test_jobs_are_thin() -> None:
    for path in JOBS:
        assert rooms(path, "eoltag") <= {"errors", "settings", "spark"}, path


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


@pytest.mark.parametrize(
    "value",
    [
        Settings(),
        ImageRef(1, "https://eol.org/a.jpg"),
        Wanted("https://eol.org/a.jpg", ("kind/main",), ("x", 1)),
        Fetched(b"x", Outcome.OK, None, 200, 1),
        InputSpec(224, 224, "stretch", "bilinear"),
        ModelSlot("kind", "main", "abc"),
        Decoded((), 1, 1, "RGB", "00"),
        Cut("rule", "main", "logit", 1.5, ("bad",)),
        Thumbnail("kind", "https://eol.org/a.jpg", "abc", "bad", 0.5, 1.0, b"jpeg"),
        Shelf({"kind": shelf_for("main", "abc", 2, [Cut("rule", "main", "logit", 1.5)], 10)}),
        ModelSource(
            "openvino",
            Card(card_version=1, name="n", labels=("a", "b"), input=CardInput(height=32, width=32), files={}),
            b"packed",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_travels_to_executors_survives_the_journey(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
