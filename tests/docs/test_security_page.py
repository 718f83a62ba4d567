"""SECURITY.md promises nothing that no test holds."""

import re
from typing import Final

import pytest

from tests.support.paths import ROOT

PAGE: Final = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISED: Final = PAGE.partition("## What is promised")[2].partition("\n## ")[0]
NAMED: Final = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PROMISED)
PROMISES: Final = [part for part in re.split(r"\n(?=- |\*\*)", PROMISED)[1:] if part.strip("*\n") != "Fetching."]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_a_promise_names_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), f"{file}::{name}"


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[:40])
def test_every_promise_names_a_test(promise: str) -> None:
    said, _, held = promise.partition("Held by: ")
    assert len(said.split()) > 10
    assert re.search(r"^`tests/", held)


def test_the_page_is_read_as_it_is_meant() -> None:
    assert len(PROMISES) == 13
    assert len(NAMED) == PAGE.count("::test_")
