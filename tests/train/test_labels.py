"""Labels as people's files hold them."""

from pathlib import Path

import pytest

from eoltag.errors import DataError
from train.labels import read_labels


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfcats\r\ndogs\r\n", b"cats\ndogs", b"\n cats \n\ndogs\n"],
    ids=["of Notepad", "without a last line end", "with blanks"],
)
def test_a_file_of_labels_gives_them_without_marks_and_line_ends(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    assert read_labels(str(tmp_path / "labels.txt")) == ("cats", "dogs")


def test_a_file_that_is_no_utf_8_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("cats\ndogs\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"labels\.txt cannot be read as text"):
        read_labels(str(tmp_path / "labels.txt"))
