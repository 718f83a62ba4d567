"""Fetch, decode, batch, predict in one process: every image and model once, whatever becomes of it."""

import json
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from eoltag.image.decode import decode
from eoltag.model.engines import load_engine
from eoltag.model.package import CardInput, Package, read_package, unpack
from eoltag.pipeline import partition
from eoltag.pipeline.partition import ModelSource, Prediction, predict_images
from eoltag.records import FetchRequest, ModelSlot, Wanted
from eoltag.settings import EngineSettings, FetchSettings, Settings
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

SETTINGS = Settings(
    fetch=FetchSettings(allow_private_hosts=True, attempts=2, backoff_base_s=0.0),
    engine=EngineSettings(batch_size=4),
)


@dataclass
class Held:
    """Stands where Spark's broadcast does."""

    value: bytes


@pytest.fixture
def package(small_package: Path) -> Package:
    """A small trained model."""
    return read_package(small_package)


@pytest.fixture
def server(sample_images: Path) -> Iterator[Loopback]:
    """The sample images, and faults."""
    with Loopback(sample_images) as running:
        yield running


def files(folder: Path) -> list[Path]:
    """Every picture of the samples."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(package: Package, wanted: list[Wanted], slots: list[ModelSlot]) -> list[tuple[Wanted, Prediction]]:
    """All predictions, through OpenVINO in one thread."""
    source = ModelSource("openvino", package.card, Held(package.pack("openvino")))
    keyed = {slot.key: slot for slot in slots}
    return list(predict_images(wanted, keyed, {package.version: source}, SETTINGS, threads=1, rate_share=1.0))


def test_each_image_gets_the_label_that_its_own_pixels_get(
    package: Package, server: Loopback, sample_images: Path
) -> None:
    paths = files(sample_images)[:10]
    slot = ModelSlot("kind", "main", package.version)
    wanted = [
        Wanted(FetchRequest(server.url(str(path.relative_to(sample_images)))), (slot.key,), (path,)) for path in paths
    ]
    got = {item.carried[0]: prediction for item, prediction in run(package, wanted, [slot])}
    engine = load_engine(
        "openvino", unpack(package.pack("openvino")), batch_size=1, threads=1, keras_backend="tensorflow"
    )
    assert set(got) == set(paths)
    for path in paths:
        pixels = decode(path.read_bytes(), [package.card.spec], 10**8).pixels[0]
        (alone,) = package.card.verdicts(engine.predict(pixels[np.newaxis]))
        assert got[path].engine == "openvino-f32"
        assert got[path].label == alone.label
        assert got[path].confidence == pytest.approx(alone.confidence, abs=1e-5)
        assert got[path].logit == pytest.approx(alone.logit, abs=1e-4)
        assert got[path].bytes == path.stat().st_size
    assert len({prediction.logit for prediction in got.values()}) == len(paths)


def test_a_failure_is_a_row_for_every_model_that_wanted_the_image(package: Package, server: Loopback) -> None:
    slots = [ModelSlot("kind", "main", package.version), ModelSlot("other", "main", package.version)]
    keys = tuple(slot.key for slot in slots)
    wanted = [
        Wanted(FetchRequest(server.url("/status/404/x.jpg")), keys),
        Wanted(FetchRequest("nonsense"), keys),
        Wanted(FetchRequest(None), keys[:1]),
    ]
    wanted.append(Wanted(FetchRequest(server.url("/html/x.jpg")), keys[:1]))
    got = [(item.url, found.task, found.outcome) for item, found in run(package, wanted, slots)]
    assert sorted(got, key=str) == sorted(
        [
            (wanted[0].url, "kind", "gone"),
            (wanted[0].url, "other", "gone"),
            ("nonsense", "kind", "bad_url"),
            ("nonsense", "other", "bad_url"),
            (None, "kind", "bad_url"),
            (wanted[3].url, "kind", "not_image"),
        ],
        key=str,
    )


def test_tasks_that_share_a_package_share_the_image_and_the_inference(
    package: Package, server: Loopback, sample_images: Path
) -> None:
    name = str(files(sample_images)[0].relative_to(sample_images))
    slots = [ModelSlot("kind", "main", package.version), ModelSlot("other", "second", package.version)]
    found = run(package, [Wanted(FetchRequest(server.url(name)), tuple(slot.key for slot in slots))], slots)
    assert sorted((prediction.task, prediction.model) for _, prediction in found) == [
        ("kind", "main"),
        ("other", "second"),
    ]
    assert len({prediction.logit for _, prediction in found}) == 1
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        CardInput(height=24, width=24),
        CardInput(height=16, width=16, fit="crop"),
        CardInput(height=16, width=16, fit="pad"),
    ],
    ids=["size", "crop", "pad"],
)
def test_each_model_of_a_run_sees_the_pixels_that_its_own_card_asks_for(
    tmp_path: Path, server: Loopback, other: CardInput
) -> None:
    server.root = tmp_path
    for number in range(6):  # none as wide as high, so that each way to fit it shows something else
        save(tmp_path / f"{number}.jpg", number, (120, 40))
    cards = {"main": CardInput(height=16, width=16), "second": other}
    packages = {name: write_tiny_package(tmp_path / name, "ab", 1, size) for name, size in cards.items()}
    sources = {one.version: ModelSource("openvino", one.card, Held(one.pack("openvino"))) for one in packages.values()}
    slots = {slot.key: slot for slot in (ModelSlot("kind", name, one.version) for name, one in packages.items())}
    wanted = [Wanted(FetchRequest(server.url(f"{n}.jpg")), tuple(slots), (n,)) for n in range(6)]
    found = list(predict_images(wanted, slots, sources, SETTINGS, threads=1, rate_share=1.0))
    logits = {(prediction.model, item.carried[0]): prediction.logit for item, prediction in found}
    assert len(logits) == len(found) == 12
    for (name, number), logit in logits.items():
        card = packages[name].card
        engine = load_engine(
            "openvino", unpack(packages[name].pack("openvino")), batch_size=1, threads=1, keras_backend="tensorflow"
        )
        pixels = decode((tmp_path / f"{number}.jpg").read_bytes(), [card.spec], 10**8).pixels[0]
        (alone,) = card.verdicts(engine.predict(pixels[np.newaxis]))
        assert logit == pytest.approx(alone.logit, abs=1e-4)


def packages_like(package: Package, folder: Path, count: int) -> list[Package]:
    """Packages of the same network, each at a temperature, and so of a version, of its own."""
    found = []
    for number in range(count):
        copy = folder / str(number)
        shutil.copytree(package.path, copy)
        card = json.loads((copy / "card.json").read_text())
        (copy / "card.json").write_text(json.dumps({**card, "temperature": 1.0 + number}))
        found.append(read_package(copy))
    return found


def test_the_models_used_last_stay_loaded_and_the_others_leave_the_memory(
    package: Package, server: Loopback, sample_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "MOST_LOADED", 2)
    monkeypatch.setattr(partition, "_LOADED", {})
    url = server.url(str(files(sample_images)[0].relative_to(sample_images)))
    several = packages_like(package, tmp_path, 4)
    seen = []
    for one in several:
        slot = ModelSlot("kind", "main", one.version)
        ((_, found),) = run(one, [Wanted(FetchRequest(url), (slot.key,))], [slot])
        assert (found.outcome, found.model_version) == ("ok", one.version)
        seen += [weakref.ref(engine) for engine in partition._LOADED.values()]
    assert [key[0] for key in partition._LOADED] == [one.version for one in several[2:]]
    assert {reference() for reference in seen} == {None, *partition._LOADED.values()}


def test_one_run_keeps_all_of_its_own_models_loaded(
    package: Package, server: Loopback, sample_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "MOST_LOADED", 2)
    monkeypatch.setattr(partition, "_LOADED", {})
    url = server.url(str(files(sample_images)[0].relative_to(sample_images)))
    several = packages_like(package, tmp_path, 3)
    slots = {slot.key: slot for slot in (ModelSlot("kind", f"m{n}", one.version) for n, one in enumerate(several))}
    sources = {one.version: ModelSource("openvino", one.card, Held(one.pack("openvino"))) for one in several}
    found = predict_images(
        [Wanted(FetchRequest(url), tuple(slots))], slots, sources, SETTINGS, threads=1, rate_share=1.0
    )
    assert sorted(prediction.model for _, prediction in found) == ["m0", "m1", "m2"]
    assert {key[0] for key in partition._LOADED} == set(sources)


def test_importing_the_pipeline_loads_no_tensorflow() -> None:
    imports = "import sys, eoltag.pipeline.partition, eoltag.model.engines.openvino"
    code = imports + "; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
