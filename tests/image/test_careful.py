"""Pictures that end, stop or hold whoever decodes them are outcomes where the decoding is done apart."""

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from eoltag.errors import NotImage, TooManyPixels, Undecodable
from eoltag.image import careful
from eoltag.image.careful import Decode, apart, timed
from eoltag.image.decode import decode
from eoltag.records import InputSpec
from tests.support import deadly
from tests.support.paths import ROOT

SMALL: Final = InputSpec(32, 32, "stretch", "bilinear")
MAX_PIXELS: Final = 1_000_000


def jpeg(shade: int) -> bytes:
    """A sound picture."""
    buffer = BytesIO()
    Image.new("RGB", (60, 40), (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decode]:
    """Decoding apart, in a child that deadly pictures end."""
    monkeypatch.setattr(careful, "CHILD", "tests.support.deadly")
    with apart(0.5) as decode_apart:
        yield decode_apart


def test_what_is_decoded_apart_is_the_same(far: Decode) -> None:
    for data in (jpeg(50), jpeg(200)):
        here, there = (one(data, [SMALL], MAX_PIXELS, [20], 16) for one in (decode, far))
        assert pickle.dumps(here) == pickle.dumps(there)


def test_files_of_the_present_folder_are_not_taken_for_pythons_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "socket.py").write_text("raise SystemExit('taken for the module of Python')\n")
    monkeypatch.chdir(tmp_path)
    with apart(60.0) as decode_apart:
        assert decode_apart(jpeg(50), [SMALL], MAX_PIXELS)


def test_what_is_wrong_with_a_picture_is_said_as_it_is_in_line(far: Decode) -> None:
    with pytest.raises(NotImage, match="no image format"):
        far(b"text", [SMALL], MAX_PIXELS)
    with pytest.raises(TooManyPixels, match="60x40 is more than 1000 pixels"):
        far(jpeg(1), [SMALL], 1000)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("segfault", r"the worker died while reading it \(SIGSEGV\)"),
        ("kill", r"the worker died while reading it \(SIGKILL\)"),
        ("stop", r"reading it took more than 0.5 s"),
        ("hang", r"reading it took more than 0.5 s"),
    ],
)
def test_a_picture_that_ends_its_decoder_is_an_outcome_and_the_next_one_is_read(
    kind: str, cause: str, far: Decode
) -> None:
    with pytest.raises(Undecodable, match=cause):
        far(deadly.picture(jpeg(50), kind), [SMALL], MAX_PIXELS)
    assert far(jpeg(200), [SMALL], MAX_PIXELS).pixels[0].mean() == pytest.approx(200, abs=2)


def test_no_child_is_started_where_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with apart(1.0):
        pass


IN_TIME: Final = """
import sys
from eoltag.image import careful
from eoltag.records import InputSpec
from tests.support import deadly

careful.decode = deadly.deadly
for data in map(bytes.fromhex, sys.stdin.read().split()):
    careful.timed(0.5)(data, [InputSpec(32, 32, "stretch", "bilinear")], 1_000_000)
    print("read", flush=True)
"""


def test_a_process_stuck_in_a_picture_is_ended_by_the_system() -> None:
    files = [jpeg(50), deadly.picture(jpeg(50), "hang")]
    command = [sys.executable, "-c", IN_TIME]
    done = subprocess.run(
        command, input=" ".join(data.hex() for data in files), cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("read\n", -signal.SIGALRM)


def test_a_picture_read_in_time_leaves_no_timer_behind() -> None:
    assert np.array_equal(timed(5.0)(jpeg(9), [SMALL], MAX_PIXELS).pixels, decode(jpeg(9), [SMALL], MAX_PIXELS).pixels)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with pytest.raises(NotImage):
        timed(5.0)(b"text", [SMALL], MAX_PIXELS)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
