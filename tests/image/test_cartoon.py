"""Cartoonization: EOL's numbers to the last bit, from any picture."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from eoltag.image.cartoon import cartoon_of, cartoonization, hue_differences
from eoltag.image.decode import decode
from eoltag.records import InputSpec
from tests.support.cartoon_formula import mnorm_pp
from train.__main__ import main as train

HAS_AVX2 = cv2.checkHardwareSupport(11)  # CV_CPU_AVX2, which has no name in Python


def pictures(folder: Path) -> list[np.ndarray]:
    """Twenty: drawings and photo-like scenes of every kind, noise, gradients, grey, an edge, flat, very low."""
    rng = np.random.default_rng(7)
    drawn = [sorted(kind.iterdir())[number] for kind in sorted(folder.iterdir()) for number in (4, 5)]
    found = []
    for number, path in enumerate(drawn):
        with Image.open(path) as image:
            found.append(np.asarray(image.convert("RGB").resize((64 + 32 * number, 50))))
    noise = rng.integers(0, 256, (50, 96, 3), dtype=np.uint8)
    ramp = np.linspace(0, 255, 3 * 64 * 32).astype(np.uint8).reshape(64, 32, 3)
    grey = np.repeat(rng.integers(0, 256, (33, 64, 1), dtype=np.uint8), 3, axis=2)
    edge = np.where(np.arange(64)[:, None, None] > 30, [200, 30, 90], [20, 250, 40]).astype(np.uint8)
    return [
        *found,
        noise,
        noise[:, ::-1] // 3 + 90,
        cv2.GaussianBlur(noise, (9, 9), 0),
        ramp,
        ramp.transpose(1, 0, 2)[:, :, ::-1],
        grey,
        np.repeat(edge, 32, axis=1),
        np.full((31, 32, 3), 255, np.uint8),
        noise[:9, :32],
        noise[5:7, :64],
    ]


def test_the_norm_equals_the_published_formula_to_the_last_bit(sample_images: Path) -> None:
    varied = [np.ascontiguousarray(picture) for picture in pictures(sample_images)]
    assert len(varied) == 20
    found = [cartoonization(picture).mnorm_pp for picture in varied]
    assert found == [mnorm_pp(picture, fuses=HAS_AVX2) for picture in varied]
    assert len(set(found)) > 15


def test_a_hue_that_rises_by_one_counts_255_and_the_sum_is_over_three_values_a_pixel() -> None:
    picture = np.full((20, 30, 3), [200, 100, 100], np.uint8)
    other = picture.copy()
    other[0, 0] = [200, 104, 100]  # hue 0 becomes 1
    assert hue_differences(picture, picture).sum() == 0
    assert hue_differences(picture, other).sum() == 255
    assert hue_differences(other, picture).sum() == 1
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    norms = cartoonization(noise)
    differences = hue_differences(noise, cartoon_of(noise))
    assert norms.mnorm_pp == differences.astype(int).sum() / (64 * 64 * 3)
    assert norms.znorm_pp == (differences != 0).sum() / (64 * 64 * 3)
    assert norms.mnorm_pp == pytest.approx(38.4, abs=1.5), "EOL's wrapped form; a signed difference gives about 13"


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_the_smallest_pictures_have_a_norm(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert 0 <= cartoonization(picture).mnorm_pp <= 85


def jpeg(size: tuple[int, int], orientation: int = 1) -> bytes:
    """A photo-like JPEG."""
    noise = np.random.default_rng(3).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90, exif=exif)
    return stream.getvalue()


SMALL = InputSpec(32, 32, "stretch", "bilinear")


def test_the_whole_picture_comes_at_full_size_where_a_model_alone_would_have_had_it_reduced() -> None:
    data = jpeg((800, 600))
    decoded = decode(data, [SMALL], 10**8, [None])
    with Image.open(BytesIO(data)) as image:
        assert (decoded.pictures[0] == np.asarray(image.convert("RGB"))).all()
    alone = decode(data, [SMALL], 10**8)
    assert alone.pictures == ()
    assert np.abs(alone.pixels[0].astype(int) - decoded.pixels[0]).mean() < 1


def test_a_bounded_picture_keeps_its_proportions_and_is_never_enlarged() -> None:
    wide, tall = jpeg((1600, 400)), jpeg((1600, 400), orientation=6)
    assert decode(wide, [SMALL], 10**8, [512]).pictures[0].shape == (128, 512, 3)
    assert decode(tall, [], 10**8, [512, None]).pictures[0].shape == (512, 128, 3)
    assert decode(tall, [], 10**8, [512, None]).pictures[1].shape == (1600, 400, 3)
    assert decode(wide, [], 10**8, [5000]).pictures[0].shape == (400, 1600, 3)


def test_opencv_is_loaded_only_for_a_task_that_asks_for_it() -> None:
    code = "import sys, eoltag.pipeline.partition, eoltag.model.engines.openvino; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_calibrating_writes_eols_table_and_histograms_for_every_class(
    sample_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("map", "photo"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for path in sorted((sample_images / name).iterdir())[:3]:
            (tmp_path / "in" / name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "in/map/z.jpg").write_text("no image")
    out = tmp_path / "out"
    command = ["cartoonization", str(tmp_path / "in"), "--out", str(out), "--threshold", "3", "--json"]
    assert train(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in out.iterdir()) == [
        f"{name}_{kind}"
        for name in ("map", "photo")
        for kind in ("cartoonification_values.csv", "cartoonization_hists.png")
    ]
    for name in ("map", "photo"):
        header, *lines = (out / f"{name}_cartoonification_values.csv").read_text().splitlines()
        assert header == "filename,mnorm,mnorm_pp,znorm,znorm_pp"
        norms = []
        for line, path in zip(lines, sorted((sample_images / name).iterdir())[:3], strict=True):
            wanted = cartoonization(decode(path.read_bytes(), [], 10**8, [None]).pictures[0])
            norms.append(wanted.mnorm_pp)
            assert line == f"{path.name},{wanted.mnorm},{wanted.mnorm_pp},{wanted.znorm},{wanted.znorm_pp}"
        assert report["classes"][name]["share_up_to_threshold"] == sum(norm <= 3 for norm in norms) / 3
    assert len(report["unreadable"]) == 1
    assert "z.jpg: not_image" in report["unreadable"][0]
    assert train(["cartoonization", str(tmp_path / "out"), "--out", str(out)]) == 2
    assert "wanted one folder of images per label" in capsys.readouterr().err
