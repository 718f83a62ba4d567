"""The drawn image set: same seed, same bytes; readable, varied, nothing overwritten."""

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eoltag.image.decode import decode
from eoltag.records import InputSpec
from train.__main__ import main
from train.samples import DRAWINGS, draw_file, file_name

LABELS = ["herbarium_sheet", "illustration", "map", "photo", "phylogeny"]


def run(*arguments: object) -> int:
    """`python -m train sample-data ...`."""
    return main(["sample-data", *map(str, arguments)])


def digests(folder: Path) -> dict[str, str]:
    """Path -> sha256 of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_five_classes_are_drawn_into_a_folder_each(sample_images: Path) -> None:
    assert sorted(path.name for path in sample_images.iterdir()) == LABELS
    for label in LABELS:
        names = sorted(path.stem for path in (sample_images / label).iterdir())
        assert names == [f"{label}_{number:04d}" for number in range(1, 21)]


def test_the_same_seed_gives_the_same_bytes_and_fewer_images_a_prefix(sample_images: Path, tmp_path: Path) -> None:
    assert run(tmp_path / "again", "--per-class", 3, "--max-side", 128) == 0
    drawn = digests(tmp_path / "again")
    assert len(drawn) == 15
    all_of_them = digests(sample_images)
    assert drawn == {name: all_of_them[name] for name in drawn}


def test_another_seed_gives_other_images(sample_images: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "--per-class", 2, "--max-side", 128, "--seed", 1) == 0
    assert not set(digests(tmp_path).values()) & set(digests(sample_images).values())


def test_the_answer_as_json_counts_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "set", "--per-class", 1, "--max-side", 64, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["images"] == dict.fromkeys(LABELS, 1)
    assert summary["bytes"] == sum(path.stat().st_size for path in (tmp_path / "set").rglob("*.*"))


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[bytes]]:
    """Eight files of each class, small."""
    return {label: [draw_file(label, index, 0, 240) for index in range(1, 9)] for label in DRAWINGS}


def test_every_image_can_be_decoded_and_keeps_within_its_longest_side(drawn: dict[str, list[bytes]]) -> None:
    for data in (data for files in drawn.values() for data in files):
        decoded = decode(data, [InputSpec(32, 32, "stretch", "bilinear")], 10**6)
        assert 48 <= min(decoded.width, decoded.height) <= max(decoded.width, decoded.height) <= 240
        assert decoded.pixels[0].std() > 5


def test_sizes_formats_and_colours_vary() -> None:
    files = [draw_file("phylogeny", index, 0, 200) for index in range(1, 31)]
    images = [Image.open(BytesIO(data)) for data in files]
    assert {image.format for image in images} == {"JPEG", "PNG"}
    assert {image.mode for image in images} == {"L", "RGB"}
    assert len({image.size for image in images}) > 20
    assert {image.width > image.height for image in images} == {True, False}
    tables = {str(image.quantization) for image in images if image.format == "JPEG"}  # type: ignore[attr-defined]
    assert len(tables) > 10


def test_names_tell_the_format() -> None:
    for index in range(1, 12):
        start = {".jpg": b"\xff\xd8", ".png": b"\x89P"}[Path(file_name("map", index, 0)).suffix]
        assert draw_file("map", index, 0, 64).startswith(start)


def thumbnails(files: list[bytes]) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    for data in files:
        yield decode(data, [InputSpec(24, 24, "stretch", "box")], 10**6).pixels[0].astype(float)


def test_no_two_images_of_a_class_are_alike(drawn: dict[str, list[bytes]]) -> None:
    for label, files in drawn.items():
        pictures = list(thumbnails(files))
        for number, one in enumerate(pictures):
            for other in pictures[number + 1 :]:
                assert np.abs(one - other).mean() > 1.5, label


def test_a_second_run_mends_a_set_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    assert run(tmp_path, "--per-class", 2, "--max-side", 64) == 0
    whole = digests(tmp_path)
    victim = next((tmp_path / "photo").iterdir())
    victim.write_bytes(b"cut")
    assert run(tmp_path, "--per-class", 2, "--max-side", 64) == 0
    assert digests(tmp_path) == whole


def test_a_folder_with_other_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "mine.jpg").write_bytes(b"precious")
    assert run(tmp_path, "--per-class", 1) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "mine.jpg" in message
    assert digests(tmp_path).keys() == {"map/mine.jpg"}


def test_a_smaller_set_into_a_larger_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--per-class", 2, "--max-side", 64) == 0
    assert run(tmp_path, "--per-class", 1, "--max-side", 64) == 2
    assert "holds other files already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--per-class", 0), ("--per-class", 10_000), ("--max-side", 63), ("--max-side", 5000), ("--seed", -1)],
)
def test_a_number_out_of_range_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: int
) -> None:
    assert run(tmp_path / "set", option, value) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"error: {option}: wanted ")
    assert f"Received: {value}" in said.err
    assert not (tmp_path / "set").exists()


def test_a_file_in_the_way_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("x")
    assert run(tmp_path / "out") == 2
    assert "wanted a folder, found a file" in capsys.readouterr().err


def test_many_images_are_drawn_by_several_processes_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.images.parallel.cores", lambda: 1)
    assert run(tmp_path / "one", "--per-class", 12, "--max-side", 64) == 0
    monkeypatch.setattr("train.images.parallel.cores", lambda: 2)
    assert run(tmp_path / "two", "--per-class", 12, "--max-side", 64) == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
