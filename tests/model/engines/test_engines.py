"""Both engines give the same scores of a real model, and neither brings the other's runtime along."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eoltag.errors import PackageError
from eoltag.model.card import (
    INT8_FILES,
    KERAS_FILE,
    OPENVINO_FILES,
    EngineName,
    Precision,
    PrecisionChoice,
    PrecisionName,
)
from eoltag.model.engines import Engine, load_engine
from eoltag.model.engines.keras import KerasNetwork, compute_in_bf16
from eoltag.model.engines.precision import choose_precision, cpu_precisions, faster_precisions
from eoltag.model.package import Package, Unpacked, read_package, unpack
from eoltag.records import Pixels

BATCH = 4
ENGINES: tuple[EngineName, ...] = ("openvino", "keras")


@pytest.fixture(scope="module")
def package(small_package: Path) -> Package:
    """Trained, five labels, 32 px."""
    return read_package(small_package)


@pytest.fixture(scope="module")
def engines(package: Package) -> dict[EngineName, Engine]:
    """Loaded for batches of four."""
    return {name: load(name, unpack(package.pack(name))) for name in ENGINES}


def load(name: EngineName, model: Unpacked) -> Engine:
    """For batches of four, on one thread."""
    return load_engine(name, model, batch_size=BATCH, threads=1, keras_backend="tensorflow")


def pictures(count: int) -> Pixels:
    """So many different ones, 32 px."""
    return np.random.default_rng(3).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.mark.parametrize("count", [1, 2, 3, BATCH])
def test_both_engines_give_the_same_logits_for_full_and_partial_batches(
    engines: dict[EngineName, Engine], count: int
) -> None:
    batch = pictures(count)
    by_keras, by_openvino = engines["keras"].predict(batch), engines["openvino"].predict(batch)
    assert by_keras.shape == by_openvino.shape == (count, 5)
    assert by_keras.dtype == by_openvino.dtype == np.float32
    np.testing.assert_allclose(by_openvino, by_keras, atol=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_each_image_gets_its_own_scores_whatever_else_is_in_the_batch(
    engines: dict[EngineName, Engine], name: EngineName
) -> None:
    batch = pictures(3)
    together = engines[name].predict(batch)
    assert np.abs(together[0] - together[1]).max() > 0.01
    for row in range(3):
        np.testing.assert_allclose(engines[name].predict(batch[row : row + 1])[0], together[row], atol=1e-4)
    np.testing.assert_allclose(engines[name].predict(batch[::-1]), together[::-1], atol=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_scores_outlive_the_next_batch(engines: dict[EngineName, Engine], name: EngineName) -> None:
    first = engines[name].predict(pictures(BATCH))
    kept = first.copy()
    engines[name].predict(np.zeros((BATCH, 32, 32, 3), np.uint8))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("name", ENGINES)
def test_the_scores_are_raw_and_not_probabilities(engines: dict[EngineName, Engine], name: EngineName) -> None:
    sums = engines[name].predict(pictures(BATCH)).sum(axis=1)
    assert np.all(np.abs(sums - 1) > 1e-3)


@pytest.mark.parametrize("name", ENGINES)
def test_pictures_that_may_not_be_written_to_are_fine(engines: dict[EngineName, Engine], name: EngineName) -> None:
    batch = pictures(BATCH)
    wanted = engines[name].predict(batch)
    batch.flags.writeable = False
    assert np.array_equal(engines[name].predict(batch), wanted)


@pytest.mark.parametrize("name", ENGINES)
def test_more_images_than_the_batch_size_are_refused(engines: dict[EngineName, Engine], name: EngineName) -> None:
    with pytest.raises(ValueError, match=r"a batch of at most 4 was wanted\. Received: 5"):
        engines[name].predict(pictures(5))


@pytest.mark.parametrize(("name", "file"), [("openvino", OPENVINO_FILES[0]), ("keras", KERAS_FILE)])
def test_a_network_that_its_runtime_cannot_read_is_refused(package: Package, name: EngineName, file: str) -> None:
    model = unpack(package.pack(name))
    broken = Unpacked(model.card, {**model.files, file: b"<net></net>"})
    with pytest.raises(PackageError, match=f"small: .*{file}"):
        load(name, broken)


@pytest.mark.parametrize("name", ENGINES)
def test_a_network_with_other_outputs_than_the_card_has_labels_is_refused(package: Package, name: EngineName) -> None:
    model = unpack(package.pack(name))
    card = model.card.model_copy(update={"labels": ("flower", "fruit", "null")})
    with pytest.raises(PackageError, match=r"one score for each of 3 labels\. Received: 5"):
        load(name, replace(model, card=card))


def test_a_keras_file_that_would_run_code_is_refused(package: Package, tmp_path: Path) -> None:
    import keras

    pixels = keras.Input((32, 32, 3), dtype="uint8")
    path = tmp_path / KERAS_FILE
    keras.Model(pixels, keras.layers.Lambda(lambda x: x)(pixels)).save(path)
    assert zipfile.is_zipfile(path)
    model = Unpacked(package.card, {KERAS_FILE: path.read_bytes()})
    with pytest.raises(PackageError, match=r"Keras refuses model\.keras .*Lambda"):
        load("keras", model)


@pytest.mark.parametrize(
    "module", ["eoltag.model.engines.openvino", "eoltag.model.engines", "eoltag.model.package", "eoltag.image.decode"]
)
def test_a_worker_with_openvino_never_pays_for_tensorflow(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'tensorflow', 'keras', 'torch', 'jax'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


ALL_PROVEN = Precision(bf16=True, int8=True, keras_bf16=True)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("fpu avx2 avx512f", {"f32"}),
        ("fpu avx512f avx512_vnni", {"f32", "int8"}),
        ("fpu avx_vnni", {"f32", "int8"}),
        ("fpu avx512_bf16", {"f32", "bf16"}),
        ("fpu amx_bf16 amx_int8 amx_tile", {"f32", "bf16", "int8"}),
    ],
)
def test_a_precision_is_native_where_the_processor_has_instructions_for_it(
    flags: str, wanted: set[str], tmp_path: Path
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nvendor_id\t: any\nflags\t\t: {flags}\nbugs\t: none\n")
    assert cpu_precisions(info) == wanted


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("avx512_vnni avx512_bf16", {"f32", "int8"}),
        ("avx512_vnni avx512_bf16 amx_bf16 amx_int8", {"f32", "bf16", "int8"}),
        ("avx2", {"f32"}),
    ],
)
def test_bfloat16_counts_as_faster_only_with_amx(flags: str, wanted: set[str], tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags\t\t: {flags}\n")
    assert faster_precisions(info) == wanted


def test_a_processor_that_cannot_be_asked_computes_in_f32(tmp_path: Path) -> None:
    assert cpu_precisions(tmp_path / "none") == {"f32"}
    (tmp_path / "arm").write_text("Features\t: fp asimd bf16 i8mm\n")
    assert cpu_precisions(tmp_path / "arm") == {"f32"}


@pytest.mark.parametrize(
    ("engine", "proven", "wanted", "native", "chosen"),
    [
        ("openvino", ALL_PROVEN, "auto", {"f32", "bf16", "int8"}, "int8"),
        ("openvino", ALL_PROVEN, "auto", {"f32", "bf16"}, "bf16"),
        ("openvino", ALL_PROVEN, "auto", {"f32"}, "f32"),
        ("openvino", ALL_PROVEN, "f32", {"f32", "bf16", "int8"}, "f32"),
        ("openvino", ALL_PROVEN, "bf16", {"f32", "bf16", "int8"}, "bf16"),
        ("openvino", ALL_PROVEN, "int8", {"f32", "bf16"}, "f32"),
        ("openvino", Precision(bf16=True), "auto", {"f32", "bf16", "int8"}, "bf16"),
        ("openvino", Precision(keras_bf16=True), "auto", {"f32", "bf16", "int8"}, "f32"),
        ("openvino", Precision(), "auto", {"f32", "bf16", "int8"}, "f32"),
        ("keras", ALL_PROVEN, "auto", {"f32", "bf16"}, "bf16"),
        ("keras", Precision(bf16=True, int8=True), "auto", {"f32", "bf16", "int8"}, "f32"),
    ],
)
def test_the_fastest_that_is_proven_native_and_wanted_is_chosen(
    package: Package,
    engine: EngineName,
    proven: Precision,
    wanted: PrecisionChoice,
    native: set[PrecisionName],
    chosen: PrecisionName,
) -> None:
    card = package.card.model_copy(update={"precision": proven})
    assert choose_precision(card, engine, wanted, native) == chosen


@pytest.mark.parametrize("name", ENGINES)
def test_without_proof_every_engine_computes_in_f32_and_says_so(package: Package, name: EngineName) -> None:
    model = unpack(package.pack(name, "auto"))
    loaded = load_engine(name, model, batch_size=BATCH, threads=1, keras_backend="tensorflow", precision="auto")
    assert loaded.name == f"{name}-f32"


@pytest.mark.parametrize(("precision", "nearest"), [("bf16", 1e-4), ("int8", 1e-3)])
def test_a_proven_precision_runs_differs_from_f32_and_names_itself(
    proven_package: Path, precision: PrecisionChoice, nearest: float
) -> None:
    proven = read_package(proven_package)
    batch = np.random.default_rng(3).integers(0, 128, (3, 16, 16, 3), np.uint8)
    batch[..., 0] += 100  # clearly red, since int8 leaves close calls to f32
    by = {}
    for wanted in ("f32", precision):
        model = unpack(proven.pack("openvino", wanted))
        loaded = load_engine(
            "openvino", model, batch_size=BATCH, threads=1, keras_backend="tensorflow", precision=wanted
        )
        assert loaded.name == f"openvino-{wanted}"
        by[wanted] = loaded.predict(batch)
    difference = np.abs(by["f32"] - by[precision]).max()
    assert nearest < difference < 2


def test_automatic_precision_is_int8_where_it_is_proven_and_native(proven_package: Path) -> None:
    model = unpack(read_package(proven_package).pack("openvino", "auto"))
    assert set(model.files) == {*OPENVINO_FILES, *INT8_FILES}
    loaded = load_engine("openvino", model, batch_size=1, threads=1, keras_backend="tensorflow", precision="auto")
    assert loaded.name == "openvino-int8"


def test_keras_in_bfloat16_is_for_gpus_or_for_those_who_ask(proven_package: Path) -> None:
    model = unpack(read_package(proven_package).pack("keras", "auto"))
    batch = np.random.default_rng(3).integers(0, 256, (3, 16, 16, 3), np.uint8)
    by = {}
    for wanted in ("auto", "bf16"):
        loaded = load_engine("keras", model, batch_size=BATCH, threads=1, keras_backend="tensorflow", precision=wanted)
        by[loaded.name] = loaded.predict(batch)
    assert set(by) == {"keras-f32", "keras-bf16"}
    assert 1e-4 < np.abs(by["keras-f32"] - by["keras-bf16"]).max() < 0.2


def test_keras_in_bfloat16_keeps_its_last_layer_and_its_weights_in_f32() -> None:
    from tests.support.colours import network

    model = network()
    compute_in_bf16(model)
    assert {layer.name: layer.compute_dtype for layer in model.layers[1:]} == {
        "unit": "bfloat16",
        "blur": "bfloat16",
        "mean": "bfloat16",
        "head": "float32",
    }
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_a_batch_that_was_begun_may_be_written_to_before_its_scores_are_taken(package: Package) -> None:
    loaded = load("keras", unpack(package.pack("keras")))
    assert isinstance(loaded, KerasNetwork)
    first, second = pictures(BATCH), pictures(BATCH)[::-1].copy()
    wanted = [loaded.predict(first), loaded.predict(second)]
    begun = [loaded.begin(first), loaded.begin(second)]
    first[:], second[:] = 0, 0
    assert [np.array_equal(take(), scores) for take, scores in zip(begun, wanted, strict=True)] == [True, True]
