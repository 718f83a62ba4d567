"""What people point at: names of files that other systems wrote, and lists from elsewhere."""

import os
from pathlib import Path

import pytest

from eoltag.errors import DataError
from train.images.files import visible_files, visible_folders
from train.images.listing import list_images
from train.images.sources import ImageSource, find_sources


def folder_of(tmp_path: Path, *names: bytes) -> Path:
    """A folder of classes with files of these names."""
    (tmp_path / "data/cats").mkdir(parents=True)
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path / "data/cats") + b"/" + name)).write_bytes(b"")
    return tmp_path / "data"


def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    data = folder_of(tmp_path, b"a.jpg", b"caf\xe9.jpg")
    for read in (list_images, visible_files, lambda path: find_sources([str(path)], ())):
        with pytest.raises(DataError, match=r"caf\\xe9\.jpg': wanted a file name in UTF-8; rename the file"):
            read(data)
    with pytest.raises(DataError, match="wanted a file name in UTF-8"):
        find_sources([os.fsdecode(b"caf\xe9.jpg")], ())


def test_a_name_in_utf_8_is_no_trouble(tmp_path: Path) -> None:
    data = folder_of(tmp_path, "café 鱼.jpg".encode())
    assert [path.name for path in visible_files(data)] == ["café 鱼.jpg"]


def test_the_folder_that_macos_adds_to_a_zip_is_no_class(tmp_path: Path) -> None:
    data = folder_of(tmp_path, b"a.jpg")
    (data / "__MACOSX/cats").mkdir(parents=True)
    (data / "__MACOSX/cats/._a.jpg").write_bytes(b"")
    assert [path.name for path in visible_folders(data)] == ["cats"]
    assert [path.name for path in visible_files(data)] == ["a.jpg"]


def test_a_mark_of_byte_order_on_stdin_is_no_part_of_the_first_name() -> None:
    assert find_sources(["-"], ["\ufeffa.jpg\r\n", "-\n", "b.jpg\n"]) == [ImageSource("a.jpg"), ImageSource("b.jpg")]
