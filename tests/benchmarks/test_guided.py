"""Inputs that fuzzers have kept are read again, and what is no answer of a reader is told with its input."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import guided
from benchmarks.guided import CORPUS, MOST_S, TARGETS, at_random, corpus


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_that_was_kept_gives_an_answer_or_is_refused_in_time(name: str) -> None:
    answers = set()
    with TARGETS[name]() as read:
        for data in corpus(name):
            began = time.monotonic()
            answers.add(read(data))
            assert time.monotonic() - began < MOST_S
    assert len(answers) >= 2, "inputs of every kind"


def test_every_target_has_inputs_and_all_inputs_a_target() -> None:
    assert sorted(path.stem for path in CORPUS.iterdir()) == sorted(TARGETS)


def test_an_input_that_libfuzzer_found_is_told_in_base64(tmp_path: Path) -> None:
    (tmp_path / "cards-crash-1").write_bytes(b"odd")
    said = "INFO: x\nZeroDivisionError: 3\n  file\n"
    assert guided._fault(said, tmp_path, "cards") == f"ZeroDivisionError: 3: {base64.b64encode(b'odd').decode()}"


def test_an_input_that_breaks_its_reader_is_told_in_base64(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def broken() -> Iterator[Callable[[bytes], str]]:
        def read(data: bytes) -> str:
            raise ZeroDivisionError(len(data))

        yield read

    monkeypatch.setitem(TARGETS, "cards", broken)
    tried = at_random("cards", 1.0)
    assert (tried.inputs, tried.fault[:18]) == (1, "ZeroDivisionError(")


@pytest.mark.slow
def test_libfuzzer_tries_many_inputs_of_every_kind(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    for name in TARGETS:
        tried = guided.guided(name, 5, tmp_path, keeps=False)
        assert (tried.fault, tried.by) == ("", "guided")
        assert tried.inputs > 2 * len(corpus(name))
