"""Decoding ahead: in order, within its bound, and the same words for an image that cannot be read, in every verb."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eoltag.errors import ImageError
from eoltag.records import InputSpec, Outcome
from tests.support.pictures import picture, save
from train.__main__ import main
from train.data.dataset import read_dataset
from train.images.decoding import AHEAD, decode_ahead, decode_file

SPEC = InputSpec(8, 8, "stretch", "bilinear")


def test_images_come_in_order_and_never_further_ahead_than_the_bound(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(files):
        picture(number, (8, 8)).save(path)
    taken: list[int] = []

    def images() -> Iterator[int]:
        for number in range(AHEAD + 50):
            taken.append(number)
            yield number

    given = decode_ahead(images(), lambda number: decode_file(files[number % 4], [SPEC]), None, "decoding")
    for count, (number, result) in enumerate(given):
        assert len(taken) <= count + AHEAD
        assert number == count
        assert not isinstance(result, ImageError)
        assert (result.pixels[0] == np.asarray(picture(number % 4, (8, 8)))).all()
    assert count == AHEAD + 49


def test_an_image_that_cannot_be_read_is_given_with_its_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>")
    files = [save(tmp_path / "a.png", 1), tmp_path / "page.jpg", tmp_path / "gone.jpg", save(tmp_path / "b.png", 2)]
    results = [result for _, result in decode_ahead(files, lambda path: decode_file(path, [SPEC]), 4, "decoding")]
    outcomes = [result.outcome if isinstance(result, ImageError) else Outcome.OK for result in results]
    assert outcomes == [Outcome.OK, Outcome.NOT_IMAGE, Outcome.GONE, Outcome.OK]


def test_every_verb_says_the_same_of_a_broken_image(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for number, label in enumerate(("map", "photo")):
        for at in range(3):
            save(data / label / f"{at}.jpg", 10 * number + at, (60, 60))
    broken = data / "map" / "cut.jpg"
    broken.write_bytes((data / "map" / "0.jpg").read_bytes()[:300])
    said = []
    for arguments in (
        ["evaluate", small_package, data],
        ["thresholds", small_package, data, "--max-error", "0.5"],
        ["export", small_package, "--held-out", data, "--calibration", data, "--out", tmp_path / "out", "--bf16"],
        ["dedupe", data],
        ["cartoonization", data, "--out", tmp_path / "cartoons"],
    ):
        capsys.readouterr()
        assert main([*map(str, arguments)]) in (0, 2), arguments  # where the processor has no bfloat16, 2
        said.append([line for line in capsys.readouterr().err.splitlines() if "cut.jpg" in line])
    read_dataset(data, SPEC)
    said.append([line for line in capsys.readouterr().err.splitlines() if "cut.jpg" in line])
    ((line,), *others) = said
    assert line.startswith(f"skipped {broken}: truncated, ")
    assert others == [[line]] * 5
