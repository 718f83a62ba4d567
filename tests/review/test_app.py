"""The service of a review: who gets in, what is shown in which order, and that nothing said is lost or doubled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eoltag.errors import OutputError
from eoltag.judgements.record import latest, read
from eoltag.review.queue import Slice, known_tags, read_items
from tests.review.conftest import HOSTILE, TOKEN, content_of, served, write_output, write_several


@pytest.fixture
def client(output: Path) -> Iterator[httpx.Client]:
    with served(output) as address, httpx.Client(base_url=address.split("/?")[0], headers={"X-Token": TOKEN}) as opened:
        yield opened


def said(number: int, url: str, tag: str | None, **more: Any) -> dict[str, Any]:
    return {
        "person": "Anna", "task": "kind", "content_sha256": content_of(url), "said_tag": tag,
        "id": f"judgement-{number}", **more,
    }  # fmt: skip


def test_only_who_knows_the_token_and_comes_from_the_page_gets_in(client: httpx.Client, output: Path) -> None:
    post = [said(1, HOSTILE[0], "map")]
    base = str(client.base_url).rstrip("/") + "/"
    for address in ("", "?token=guess", "api/queue?person=Anna"):
        assert httpx.get(base + address).status_code == 403
    assert httpx.post(f"{base}api/judge", json=post).status_code == 403
    assert client.get("/").status_code == 200
    for origin in ("https://evil.example", "null"):
        assert client.post("/api/judge", json=post, headers={"Origin": origin}).status_code == 403
    assert client.get("/api/queue?person=Anna", headers={"Host": "evil.example"}).status_code == 403
    assert read(output) == []
    assert client.post("/api/judge", json=post, headers={"Origin": base.rstrip("/")}).status_code == 200
    assert len(read(output)) == 1


def test_the_queue_comes_in_pages_and_knows_what_a_person_has_judged(client: httpx.Client, output: Path) -> None:
    first = client.get("/api/queue?person=Anna").json()
    assert (first["total"], first["done"], first["first_open"], len(first["items"])) == (60, 0, 0, 60)
    assert first["tags"] == {"kind": ["map", "photo"]}
    item = first["items"][0]
    assert (item["confidence"], item["models"]) == (0.5, {"main": "aaaaaaaaaaaa"})
    client.post("/api/judge", json=[said(1, item["url"], "photo")])
    again = client.get("/api/queue?person=Anna&start=59").json()
    assert (again["done"], again["first_open"], len(again["items"])) == (1, 1, 1)
    assert client.get("/api/queue?person=Ben").json()["done"] == 0
    (one,) = read(output)
    assert (one.shown_tag, one.said_tag, one.drawn, one.models) == (item["tag"], "photo", "uncertain", item["models"])


def test_what_is_sent_twice_is_said_once_and_undo_takes_it_back(client: httpx.Client, output: Path) -> None:
    sent = [said(1, HOSTILE[0], "map"), said(2, HOSTILE[0], "photo")]
    client.post("/api/judge", json=sent)
    client.post("/api/judge", json=sent)
    assert len(read(output)) == 2
    client.post("/api/judge", json=[said(3, HOSTILE[0], None, is_withdrawn=True)])
    assert [one.said_tag for one in latest(read(output)).values()] == ["map"]


@pytest.mark.parametrize(
    ("judgement", "status"),
    [
        (said(1, "https://eol.org/elsewhere.jpg", "map"), 404),
        (said(1, HOSTILE[0], "map", person=""), 422),
        (said(1, HOSTILE[0], "x" * 300), 422),
        (said(1, HOSTILE[0], "map", extra=1), 422),
    ],
)
def test_what_is_no_judgement_of_this_review_is_refused(
    client: httpx.Client, output: Path, judgement: dict[str, Any], status: int
) -> None:
    assert client.post("/api/judge", json=[said(2, HOSTILE[1], "map"), judgement]).status_code == status
    assert read(output) == []


def test_pictures_come_from_what_is_kept(client: httpx.Client) -> None:
    answer = client.get(f"/api/picture/kind/{content_of(HOSTILE[0])}")
    assert (answer.headers["content-type"], answer.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert client.get(f"/api/picture/kind/{'0' * 64}").status_code == 404
    assert client.get(f"/api/picture/other/{content_of(HOSTILE[0])}").status_code == 404


def test_a_slice_is_what_was_asked_for_in_its_order(output: Path) -> None:
    every = read_items(output, Slice())
    assert [item.confidence for item in every][:3] == pytest.approx([0.5, 0.49, 0.51])
    assert [item.confidence for item in read_items(output, Slice(order="least_sure", limit=2))] == pytest.approx(
        [0, 0.01]
    )
    maps = read_items(output, Slice(tags=("map",), least=0.2, most=0.3))
    assert {(item.tag, round(item.confidence or 0, 2)) for item in maps} == {("map", n / 100) for n in range(20, 31, 2)}
    assert [item.bundle_row for item in read_items(output, Slice(ancestry="ROSA 7<"))] == [8]
    drawn = [item.url for item in read_items(output, Slice(order="random", seed=1))]
    assert drawn == [item.url for item in read_items(output, Slice(order="random", seed=1))]
    assert drawn != [item.url for item in read_items(output, Slice(order="random", seed=2))]
    assert read_items(output, Slice(tasks=("other",))) == read_items(output, Slice(rules=("none",))) == []
    assert known_tags(output, ["other"]) == {}


def test_the_same_picture_in_two_rows_is_judged_once(tmp_path: Path) -> None:
    write_output(tmp_path / "out", ["https://eol.org/a.jpg"] * 2)
    assert len(read_items(tmp_path / "out", Slice())) == 1


def test_a_folder_without_tags_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its tags cannot be read for a review"):
        read_items(tmp_path, Slice())


BOTH, FLOWER, NONE = (("flower", 0.9), ("fruit", 0.55)), (("flower", 0.7),), ()
PLANTS = [f"https://eol.org/{number}.jpg" for number in range(6)]


def test_an_image_with_several_tags_is_in_the_slice_of_each_by_the_confidence_of_that_tag(tmp_path: Path) -> None:
    write_several(tmp_path, PLANTS, [BOTH, FLOWER, NONE])
    assert known_tags(tmp_path, ()) == {"kind": ["flower", "fruit", "bud"]}, "a tag of no image may be chosen too"
    fruits = read_items(tmp_path, Slice(tags=("fruit",)))
    assert [(item.tag, item.tags, item.confidence) for item in fruits] == [
        ("flower|fruit", ("flower", "fruit"), pytest.approx(0.55))
    ] * 2
    assert {item.tags for item in read_items(tmp_path, Slice())} == {("flower", "fruit"), ("flower",), ()}
    flowers = read_items(tmp_path, Slice(tags=("flower",), order="least_sure"))
    assert [item.confidence for item in flowers] == pytest.approx([0.7, 0.7, 0.9, 0.9])
    assert len(read_items(tmp_path, Slice(tags=("flower",), least=0.8))) == 2
    assert len(read_items(tmp_path, Slice(tags=("flower|fruit",)))) == 2


def test_a_judgement_of_several_tags_says_what_could_be_chosen(tmp_path: Path) -> None:
    write_several(tmp_path, PLANTS, [BOTH, FLOWER, NONE])
    words = [said(1, PLANTS[0], "fruit|seed"), said(2, PLANTS[1], "none"), said(3, PLANTS[2], None)]
    with served(tmp_path) as address:
        base, headers = address.split("/?")[0], {"X-Token": TOKEN}
        assert httpx.get(f"{base}/api/queue?person=Anna", headers=headers).json()["missing"] == {"kind": "none"}
        assert httpx.post(f"{base}/api/judge", json=words, headers=headers).status_code == 200
        long = [said(4, PLANTS[0], f"fruit|{'x' * 201}")]
        assert httpx.post(f"{base}/api/judge", json=long, headers=headers).status_code == 422
    one, none, unsure = read(tmp_path)
    assert (one.shown_tag, one.said_tag, one.choices) == (
        "flower|fruit", "fruit|seed", ["flower", "fruit", "bud", "seed"],
    )  # fmt: skip
    assert (none.said_tag, none.choices) == ("none", ["flower", "fruit", "bud"])
    assert (unsure.said_tag, unsure.choices) == (None, [])
