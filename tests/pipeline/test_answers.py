"""Answers beside the rows of a caller: as many as URLs and in their order, whatever comes back when."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eoltag.errors import Undecodable
from eoltag.image.decode import decode
from eoltag.model.package import Package
from eoltag.pipeline.answers import Answer, answers_in_order
from eoltag.pipeline.models import Models, ModelSource
from eoltag.pipeline.partition import Job
from eoltag.records import Decoded, InputSpec
from eoltag.settings import EngineSettings, FetchSettings, Settings
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

SETTINGS = Settings(
    fetch=FetchSettings(allow_private_hosts=True, attempts=2, backoff_base_s=0.0),
    engine=EngineSettings(batch_size=4),
)


class Packed:
    """Stands where Spark's broadcast does."""

    def __init__(self, value: bytes) -> None:
        self.value = value


@pytest.fixture
def tiny(tmp_path: Path) -> Package:
    """A model made in a moment."""
    return write_tiny_package(tmp_path / "tiny", "ab", 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Ten pictures, each of a width of its own."""
    (tmp_path / "images").mkdir()
    for number in range(10):
        save(tmp_path / f"images/{number}.jpg", number, (40 + number, 30))
    with Loopback(tmp_path / "images") as running:
        yield running


def job_of(package: Package, measures: tuple[str, ...] = ()) -> Job:
    """What a worker gets."""
    source = ModelSource("openvino", package.card, whole=Packed(package.pack("openvino")))
    return Job(Models({package.version: source}, (), SETTINGS.engine, threads=1), SETTINGS, measures)


def answers(urls: Sequence[str | None], package: Package, **options: Any) -> list[Answer]:
    """The answers for a list."""
    chosen: dict[str, Any] = {"decode": decode, **options}
    return list(answers_in_order(urls, job_of(package), rate_share=1.0, **chosen))


def test_answers_come_in_the_order_of_the_urls_though_the_first_image_comes_last(
    server: Loopback, tiny: Package
) -> None:
    urls = [server.url("/slow/0.3/0.jpg"), *[server.url(f"{number}.jpg") for number in range(1, 10)]]
    found = answers(urls, tiny)
    assert [one.image.width for one in found] == list(range(40, 50))
    assert all(len(one.given[tiny.version]) == 2 for one in found)  # type: ignore[arg-type]
    scores = {tuple(one.given[tiny.version]) for one in found}  # type: ignore[arg-type]
    assert len(scores) == 10, "each has its own"


def test_a_url_that_comes_again_is_asked_for_once_and_answered_each_time(server: Loopback, tiny: Package) -> None:
    first, other = server.url("0.jpg"), server.url("1.jpg")
    found = answers([first, None, other, first, None, "no address", first], tiny)
    assert [one.image.outcome for one in found] == ["ok", "bad_url", "ok", "ok", "bad_url", "bad_url", "ok"]
    assert [one.image.width for one in found] == [40, None, 41, 40, None, None, 40]
    assert sorted(server.requests) == ["/files/0.jpg", "/files/1.jpg"]


def test_one_file_under_two_urls_has_its_scores_under_both(server: Loopback, tiny: Package) -> None:
    one, other = answers([server.url("/files/3.jpg?a"), server.url("/files/3.jpg?b")], tiny)
    assert one.image.content_sha256 == other.image.content_sha256
    assert list(one.given[tiny.version]) == list(other.given[tiny.version])  # type: ignore[arg-type]


def test_what_fails_has_an_outcome_and_nothing_given(server: Loopback, tiny: Package) -> None:
    found = answers([server.url("/status/404/x"), server.url("2.jpg"), server.url("/html/x")], tiny)
    assert [(one.image.outcome, one.given.keys()) for one in found] == [
        ("gone", set()),
        ("ok", {tiny.version}),
        ("not_image", set()),
    ]


def test_a_file_that_could_not_be_decoded_for_its_model_is_not_ok_under_another_url(
    server: Loopback, tiny: Package
) -> None:
    def too_slow_for_a_model(data: bytes, specs: Sequence[InputSpec], *rest: Any) -> Decoded:
        if specs:
            raise Undecodable("reading it took more than 1 s")
        return decode(data, specs, *rest)

    found = answers([server.url("/files/3.jpg?a"), server.url("/files/3.jpg?b")], tiny, decode=too_slow_for_a_model)
    assert [one.image.outcome for one in found] == ["undecodable", "undecodable"]
    assert {one.image.detail for one in found} == {
        "reading it took more than 1 s",
        "the same file, under another URL, was not decoded",
    }


def test_measures_are_given_beside_the_scores(server: Loopback, tiny: Package) -> None:
    (found,) = answers_in_order([server.url("4.jpg")], job_of(tiny, ("mnorm_pp",)), rate_share=1.0, decode=decode)
    assert found.given.keys() == {tiny.version, "mnorm_pp"}


def test_no_urls_give_no_answers(tiny: Package) -> None:
    assert answers([], tiny) == []
