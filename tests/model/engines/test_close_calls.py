"""What int8 leaves too close to call is scored in f32, and nothing else is."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eoltag.model.card import INT8_FILES, CardInput, PrecisionName
from eoltag.model.engines import load_engine
from eoltag.model.engines.close_calls import close_calls
from eoltag.model.engines.precision import cpu_precisions
from eoltag.model.package import Card, read_package, unpack
from eoltag.records import Pixels, Scores
from tests.support.colours import SIDE
from train.export.agreement import compare
from train.export.held_out import find_contents, read_pictures
from train.export.quantizing import RECIPES, Int8, Recipe, divide, make_int8, margin

CARD = Card(
    card_version=1, name="kind", labels=("bad", "good", "map"), input=CardInput(height=32, width=32), files={}
).model_copy(update={"int8_margin": 0.5})


def scores(*rows: tuple[float, float, float]) -> Scores:
    return np.array(rows, np.float32)


def test_an_image_is_close_where_the_best_label_leads_by_less_than_the_margin() -> None:
    found = close_calls(scores((2, 1.51, 0), (2, 1.49, 0), (-1, -1, 5)), CARD)
    assert found.tolist() == [True, False, False]


def test_an_image_is_close_where_a_logit_is_near_a_threshold() -> None:
    card = CARD.model_copy(update={"thresholds": {"good": 1.5}})
    found = close_calls(scores((9, 1.1, 0), (9, 1.9, 0), (9, 0.9, 0), (9, 2.1, 0)), card)
    assert found.tolist() == [True, True, False, False]


def test_an_image_of_several_labels_is_close_where_any_of_them_is_near_yes_or_no() -> None:
    card = CARD.model_copy(update={"output_kind": "labels"})
    assert close_calls(scores((2, 1.9, -3), (2, 0.4, -3), (2, 3, -0.4)), card).tolist() == [False, True, True]
    with_threshold = card.model_copy(update={"thresholds": {"map": 0.9}})
    border = float(np.log(9))
    found = close_calls(scores((9, 9, border - 0.4), (9, 9, border + 0.6)), with_threshold)
    assert found.tolist() == [True, False]


def test_arithmetic_agrees_where_every_label_stays_on_its_side() -> None:
    card = CARD.model_copy(update={"output_kind": "labels"})
    exact = scores((2, 1, -3), (2, 1, -3))
    assert compare(exact, scores((2, 1, -3), (1, 2, -3)), card).same_label == 1.0
    assert compare(exact, scores((2, 1, -3), (2, -1, -3)), card).same_label == 0.5
    assert compare(exact, scores((2, 1, -3), (1, 2, -3)), CARD).same_label == 0.5


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_an_image_is_close_where_a_probability_is_near_a_threshold(temperature: float) -> None:
    card = CARD.model_copy(update={"thresholds": {"good": 0.9}, "temperature": temperature})
    border = temperature * (np.log(9) + np.log(2))  # "good" against two others at 0: e^x / (e^x + 2) = 0.9
    found = close_calls(scores((0, border - 0.4, 0), (0, border + 0.4, 0), (0, border + 0.6, 0)), card)
    assert found.tolist() == [True, True, False]


def test_scores_that_are_not_numbers_are_close_and_without_a_margin_no_others() -> None:
    card = CARD.model_copy(update={"int8_margin": 0.0, "thresholds": {"good": 1.0}})
    found = close_calls(scores((1, 1, 1), (np.nan, 1, 0), (0, 1, 1)), card)
    assert found.tolist() == [False, True, False]


def pictures() -> Pixels:
    """Three in which one channel is far brighter, and between them two with hardly any difference."""
    batch = np.random.default_rng(3).integers(60, 100, (5, SIDE, SIDE, 3), np.uint8)
    for row, channel in ((0, 0), (2, 1), (4, 2)):
        batch[row, ..., channel] += 90
    return batch


def test_close_calls_get_the_scores_of_f32_and_clear_ones_those_of_int8(proven_package: Path) -> None:
    package = read_package(proven_package)
    assert 0.001 < package.card.int8_margin < 1
    by: dict[PrecisionName, Scores] = {}
    names: tuple[PrecisionName, ...] = ("f32", "int8")
    for name in names:
        model = unpack(package.pack("openvino", name))
        by[name] = load_engine(
            "openvino", model, batch_size=8, threads=1, keras_backend="tensorflow", precision=name
        ).predict(pictures())
    is_same = np.abs(by["f32"] - by["int8"]).max(axis=1) < 1e-5
    assert is_same.tolist() == [False, True, False, True, False]


def test_the_margin_is_what_nearly_all_leads_and_scores_err_by() -> None:
    exact = scores(*[(2, 1, 0)] * 100)
    rough = exact.copy()
    rough[0] += (0, 9, 0)  # one image of a hundred may err by more
    rough[1:50] += (0.25, -0.25, 0)  # the lead of the best label by 0.5, every score by 0.25
    assert margin(exact, rough) == pytest.approx(0.5, abs=0.1)
    assert margin(exact, rough, "labels") == pytest.approx(0.25, abs=0.1)  # of which none leads another
    assert margin(exact, exact) == 0
    assert margin(exact, rough * np.nan) >= 2


def test_images_that_calibrate_are_not_those_that_control() -> None:
    pixels = np.arange(700).astype(np.uint8).reshape(-1, 1, 1, 1)
    for count, wanted in ((40, (32, 8)), (100, (50, 50)), (700, (300, 300))):
        calibration, control = divide(pixels[:count])
        assert (len(calibration), len(control)) == wanted
        assert np.array_equal(np.concatenate([calibration, control]), pixels[: sum(wanted)])


def test_the_recipe_that_comes_nearest_to_f32_is_taken(
    small_package: Path, sample_images: Path, tmp_path: Path
) -> None:
    if "int8" not in cpu_precisions():
        pytest.skip("this processor does not compute int8")
    card = read_package(small_package).card
    pixels = read_pictures(find_contents([sample_images], lambda _: True), card.spec, 70).pixels

    def made_by(name: str, *recipes: Recipe) -> tuple[Int8, bytes]:
        shutil.copytree(small_package, tmp_path / name)
        return make_int8(tmp_path / name, card, pixels, recipes), (tmp_path / name / INT8_FILES[1]).read_bytes()

    fast, slow = (made_by(recipe.name, recipe) for recipe in RECIPES)
    assert fast[0].margin != slow[0].margin
    nearest, other = sorted((fast, slow), key=lambda one: one[0].margin)
    assert made_by("all", other[0].recipe, nearest[0].recipe, other[0].recipe) == nearest
    assert (nearest[0].calibration_images, nearest[0].control_images) == (35, 35)


def test_int8_is_not_worth_it_where_most_images_are_close_calls() -> None:
    exact = scores(*[(2, 1, 0)] * 600)
    found = compare(exact, exact, CARD)
    assert replace(found, rescored=0.25).is_proven
    assert not replace(found, rescored=0.26).is_proven
    assert "26.0% of the images are close calls, 25% at most are wanted" in replace(found, rescored=0.26).sentence("")
