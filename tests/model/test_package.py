"""Model packages: what is refused, what makes a new version, and what travels to workers."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eoltag.errors import PackageError
from eoltag.model import package as module
from eoltag.model.attempts import CARD_FILE
from eoltag.model.card import (
    INT8_FILES,
    KERAS_FILE,
    OPENVINO_FILES,
    CardInput,
    EngineName,
    Precision,
    PrecisionChoice,
)
from eoltag.model.package import Card, Package, read_package, unpack, write_beside, write_card
from eoltag.records import InputSpec

CARD = Card(
    card_version=1,
    name="rating",
    labels=("bad", "good"),
    input=CardInput(height=32, width=48, fit="crop", resample="bicubic"),
    files={},
)
CONTENTS = {KERAS_FILE: b"keras weights", OPENVINO_FILES[0]: b"<net/>", OPENVINO_FILES[1]: b"openvino weights"}


def fill(folder: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    """Files of a package, without a card."""
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """Complete, with stand-ins for weights."""
    return write_card(fill(tmp_path / "rating"), CARD)


def rewrite(package: Package, **changes: Any) -> Path:
    """Change keys of card.json behind the package's back."""
    path = package.path / CARD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return package.path


def test_what_was_written_is_read_back(package: Package) -> None:
    again = read_package(package.path)
    assert again == package
    assert again.card.labels == ("bad", "good")
    assert again.card.spec == InputSpec(32, 48, "crop", "bicubic")
    assert again.engines == ("openvino", "keras")
    assert set(again.card.files) == set(CONTENTS)


def test_a_leftover_of_a_killed_write_is_no_part_of_the_package(tmp_path: Path) -> None:
    folder = fill(tmp_path, {**CONTENTS, "card.json.tmp": b"half a ca", "README.md.tmp": b"# ra"})
    assert set(write_card(folder, CARD).card.files) == set(CONTENTS)


def test_a_package_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_card(fill(tmp_path / "rating", {**CONTENTS, "README.md": b"# rating"}), CARD)
    honest = module._verify

    def verify_late(path: Path, card: Card) -> None:
        monkeypatch.setattr(module, "_verify", honest)
        write_beside(package, package.card.model_copy(update={"thresholds": {"bad": 1.5}}), "README.md", "# anew")
        honest(path, card)

    monkeypatch.setattr(module, "_verify", verify_late)
    again = read_package(package.path)
    assert again.card.thresholds == {"bad": 1.5}
    assert set(again.card.files) == {*CONTENTS, "README.md"}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_changed_file_is_refused_by_name(package: Package, name: str) -> None:
    (package.path / name).write_bytes(b"other weights")
    with pytest.raises(PackageError, match=rf"{name}: changed since the card was written"):
        read_package(package.path)


def test_a_missing_file_is_refused_by_name(package: Package) -> None:
    (package.path / OPENVINO_FILES[1]).unlink()
    with pytest.raises(PackageError, match=r"model\.bin: missing, though the card lists it"):
        read_package(package.path)


def test_a_file_that_changes_after_it_was_checked_is_not_sent_to_workers(package: Package) -> None:
    (package.path / KERAS_FILE).write_bytes(b"other weights")
    with pytest.raises(PackageError, match=r"model\.keras: changed"):
        package.pack("keras")
    (package.path / KERAS_FILE).unlink()
    with pytest.raises(PackageError, match=r"model\.keras: cannot be read"):
        package.pack("keras")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_card_version_is_refused(package: Package, version: object) -> None:
    with pytest.raises(PackageError, match=rf"wanted card_version 1\. Received: {version!r}"):
        read_package(rewrite(package, card_version=version))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "wanted card_version"),
        ("\x00", "cannot be read"),
        ("null", "wanted card_version"),
        ("[" * 100_000, "cannot be read"),
        ("1" * 5_000, "cannot be read"),
        ("[" * 900 + "]" * 900, "wanted card_version"),
    ],
)
def test_a_card_that_is_no_card_is_refused(package: Package, text: str, message: str) -> None:
    (package.path / CARD_FILE).write_text(text)
    with pytest.raises(PackageError, match=message) as caught:
        read_package(package.path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700 + len(str(package.path))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", "[" * 900 + "]" * 900, "labels"),
        ("metrics", '{"x": ' + "[" * 400 + "]" * 400 + "}", "nested too deeply"),
        ("temperature", "1" * 4_000, "temperature"),
        ("feature_length", "1" * 4_000, "wanted both or neither"),
        ("temperature", "1e999", "finite"),
    ],
)
def test_a_card_that_holds_a_monster_is_refused_in_one_line(
    package: Package, key: str, value: str, message: str
) -> None:
    card = json.loads((package.path / CARD_FILE).read_text())
    text = json.dumps({**card, key: "monster"}).replace('"monster"', value)
    (package.path / CARD_FILE).write_text(text)
    with pytest.raises(PackageError, match=message) as caught:
        read_package(package.path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700 + len(str(package.path))


@pytest.mark.parametrize("path", ["nothing", "file"])
def test_what_is_no_package_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PackageError, match="not a model package"):
        read_package(tmp_path / path)


@pytest.mark.parametrize(
    "name", ["head.pkl", "model.PICKLE", "search.dill", "a/b.joblib", "weights.pt", "w.pth", "x.npy"]
)
def test_a_pickle_is_refused(tmp_path: Path, name: str) -> None:
    fill(tmp_path, {**CONTENTS, name: b"cos\nsystem\n"})
    with pytest.raises(PackageError, match="pickled files are refused"):
        write_card(tmp_path, CARD)


@pytest.mark.parametrize("name", ["../secret", "openvino/../../secret", "/etc/hostname"])
def test_a_card_that_points_outside_is_refused(package: Package, name: str) -> None:
    (package.path.parent / "secret").write_text("x")
    with pytest.raises(PackageError, match="lies outside the package"):
        read_package(rewrite(package, files={**package.card.files, name: "0" * 64}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["bad", "bad"]}, "labels must differ"),
        ({"labels": ["bad"]}, "at least 2 items"),
        ({"thresholds": {"ugly": 1.5}}, r"labels that are not there: \['ugly'\]"),
        ({"thresholds": {"bad": float("nan")}}, "finite number"),
        ({"temperature": 0}, "greater than 0"),
        ({"temperature": float("inf")}, "finite number"),
        ({"output": "softmax"}, "'logits'"),
        ({"output_kind": "boxes"}, r"wanted one that this eoltag knows \(classes, labels\)\. Received: 'boxes'"),
        ({"input": {"height": 32}}, r"'input\.width' is missing"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"files": {}}, "holds neither"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_card_that_makes_no_sense_is_refused(package: Package, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PackageError, match=message):
        read_package(rewrite(package, **changes))


def test_an_engine_whose_files_are_missing_is_refused(tmp_path: Path) -> None:
    package = write_card(fill(tmp_path, {KERAS_FILE: b"keras weights"}), CARD)
    assert package.engines == ("keras",)
    with pytest.raises(PackageError, match=r"engine 'openvino' needs openvino/model\.xml, openvino/model\.bin"):
        package.pack("openvino")


SAME: list[dict[str, Any]] = [
    {"precision": Precision(bf16=True, keras_bf16=True)},
    {"thresholds": {"bad": 1.5}},
    {"metrics": {"val_accuracy": 0.9}},
    {"created_at": "2030-01-01"},
    {"name": "another name"},
]
OTHER: list[dict[str, Any]] = [
    {"labels": ("good", "bad")},
    {"temperature": 1.7},
    {"input": CardInput(height=32, width=48, fit="pad", resample="bicubic")},
]


@pytest.mark.parametrize("changes", SAME, ids=lambda changes: next(iter(changes)))
def test_what_changes_no_score_keeps_the_version(package: Package, changes: dict[str, Any]) -> None:
    assert write_card(package.path, package.card.model_copy(update=changes)).version == package.version


@pytest.mark.parametrize("changes", OTHER, ids=lambda changes: next(iter(changes)))
def test_what_changes_a_score_makes_another_version(package: Package, changes: dict[str, Any]) -> None:
    assert write_card(package.path, package.card.model_copy(update=changes)).version != package.version


def test_other_weights_make_another_version_and_another_readme_does_not(package: Package) -> None:
    (package.path / "README.md").write_text("# A better description")
    assert write_card(package.path, package.card).version == package.version
    (package.path / KERAS_FILE).write_bytes(b"other weights")
    assert write_card(package.path, package.card).version != package.version


def test_a_copy_elsewhere_has_the_same_version(package: Package, tmp_path: Path) -> None:
    shutil.copytree(package.path, tmp_path / "copy")
    assert read_package(tmp_path / "copy").version == package.version


@pytest.mark.parametrize(("engine", "names"), [("keras", {KERAS_FILE}), ("openvino", set(OPENVINO_FILES))])
def test_a_packed_package_holds_the_card_and_what_the_engine_needs(
    package: Package, engine: EngineName, names: set[str]
) -> None:
    packed = package.pack(engine)
    assert package.pack(engine) == packed
    unpacked = unpack(packed)
    assert unpacked.card == package.card
    assert unpacked.files == {name: CONTENTS[name] for name in names}


@pytest.mark.parametrize("travels", [lambda p: p, lambda p: p.card, lambda p: unpack(p.pack("keras"))])
def test_what_goes_to_executors_can_be_pickled(package: Package, travels: Callable[[Package], object]) -> None:
    value = travels(package)
    assert pickle.loads(pickle.dumps(value)) == value


@pytest.fixture
def fast(tmp_path: Path) -> Package:
    """A package with int8 and bf16 proven for OpenVINO."""
    files = {**CONTENTS, INT8_FILES[0]: b"<int8/>", INT8_FILES[1]: b"int8 weights"}
    card = CARD.model_copy(update={"precision": Precision(int8=True, bf16=True)})
    return write_card(fill(tmp_path / "fast", files), card)


def test_int8_files_that_came_later_leave_the_version_as_it_was(package: Package, fast: Package) -> None:
    assert set(fast.card.files) == {*package.card.files, *INT8_FILES}
    assert fast.version == package.version


@pytest.mark.parametrize(
    ("engine", "precision", "names"),
    [
        ("openvino", "f32", OPENVINO_FILES),
        ("openvino", "bf16", OPENVINO_FILES),
        ("openvino", "int8", (*OPENVINO_FILES, *INT8_FILES)),
        ("openvino", "auto", (*OPENVINO_FILES, *INT8_FILES)),
        ("keras", "f32", (KERAS_FILE,)),
        ("keras", "auto", (KERAS_FILE,)),
    ],
)
def test_workers_get_the_files_that_they_may_need_and_no_others(
    fast: Package, engine: EngineName, precision: PrecisionChoice, names: tuple[str, ...]
) -> None:
    assert set(unpack(fast.pack(engine, precision)).files) == set(names)


def test_int8_files_that_are_not_proven_stay_at_home(fast: Package) -> None:
    unproven = write_card(fast.path, fast.card.model_copy(update={"precision": Precision(bf16=True)}))
    assert set(unpack(unproven.pack("openvino", "auto")).files) == set(OPENVINO_FILES)


@pytest.mark.parametrize(("engine", "precision"), [("openvino", "int8"), ("openvino", "bf16"), ("keras", "int8")])
def test_a_precision_that_the_card_does_not_prove_is_refused(
    package: Package, engine: EngineName, precision: PrecisionChoice
) -> None:
    with pytest.raises(PackageError, match=rf"does not prove engine '{engine}' at {precision} \(proven: f32\)"):
        package.files_for(engine, precision)


def test_a_proof_without_its_files_is_refused(package: Package) -> None:
    with pytest.raises(PackageError, match=r"int8 is proven, but openvino/int8/model\.xml is not among its files"):
        read_package(rewrite(package, precision={"int8": True}))


def test_a_card_from_before_the_precisions_is_read(package: Package) -> None:
    content = json.loads((package.path / CARD_FILE).read_text())
    del content["precision"]["keras_bf16"]
    (package.path / CARD_FILE).write_text(json.dumps(content))
    assert read_package(package.path).card.precision == Precision()
