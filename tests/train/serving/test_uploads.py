"""What clients send stays in memory."""

import builtins
import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from tests.support.serving import form, post, served

LARGE = 3_000_000
"""Frameworks write uploads of more than a megabyte to disk."""


def test_an_upload_is_never_written_to_disk(small_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = BytesIO()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(buffer, "JPEG")
    upload = buffer.getvalue() + bytes(LARGE)
    opened, written = builtins.open, []

    def watching(file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        if set(mode) & set("wax+"):
            written.append(file)
        return opened(file, mode, *more, **named)

    def refused(*_: object, **__: object) -> NoReturn:
        raise OSError("nothing may be written")

    with served(small_package) as service:
        assert service.post(upload[:-LARGE]).status == 200  # all is loaded
        monkeypatch.setattr(builtins, "open", watching)
        for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
            monkeypatch.setattr(tempfile, name, refused)
        monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refused)
        answer = service.send(post(form(("a.jpg", upload), ("b.jpg", upload))))
        monkeypatch.undo()
    assert answer.status == 200
    assert [file for file in written if str(file) != os.devnull] == []
