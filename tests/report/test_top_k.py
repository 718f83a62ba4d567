"""Which images become thumbnails: the best of every group of every label, within bounds."""

from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from eoltag.records import Cut, ModelSlot
from eoltag.report import top_k
from eoltag.report.thumbnails import Picture
from eoltag.report.top_k import (
    Collector,
    Scored,
    ThumbnailPlan,
    ThumbnailPlans,
    TopK,
    plan_thumbnails,
    plans_for_part,
    sample_order,
)
from tests.support.pictures import picture

CUT = Cut("sure", "main", "logit", 5.25, ("map",))
PLAN = ThumbnailPlan("main", "v2", limit=40, capacity=2, cuts=(CUT,))
SLOTS = [ModelSlot("kind", "main", "v2")]


def url(number: int) -> str:
    """The address of an image."""
    return f"https://eol.org/{number}.jpg"


def scored(number: int, label: str = "map", version: str = "v2", side_px: int = 1) -> Scored:
    """An image of which the model is the surer the higher its number."""
    shown = Picture(np.full((side_px, side_px, 3), number, np.uint8), side_px, side_px, "stretch")
    return Scored(url(number), [ModelSlot("kind", "main", version)], label, number / 100, number / 2, shown)


def kept(images: Iterable[Scored], plans: ThumbnailPlans) -> set[str]:
    """URLs that a Spark task keeps of these images."""
    collector = Collector(plans)
    collector.offer(images)
    return {one.url for one in collector.thumbnails()}


def test_the_k_highest_scores_are_kept_and_the_highest_comes_first() -> None:
    top: TopK[str] = TopK(2)
    offers = [(0.5, "b"), (0.9, "a"), (0.1, "d"), (0.7, "c"), (0.7, "a")]
    assert [top.offer((True, score, 0.0, tie), f"{score} {tie}") for score, tie in offers] == [1, 1, 0, 1, 0]
    assert top.items() == ["0.9 a", "0.7 c"]
    assert not TopK[str](0).offer((True, 1.0, 0.0, ""), "nothing fits")


def test_a_task_keeps_the_surest_the_least_sure_those_beside_the_cut_and_a_sample() -> None:
    drawn = sorted(range(60), key=lambda number: sample_order(url(number)))[:4]
    wanted = {0, 1, 58, 59, 9, 10, 11, 12, *drawn}
    assert kept(map(scored, range(60)), {"kind": PLAN}) == {url(number) for number in wanted}


def test_each_label_has_its_own_groups_and_a_cut_of_another_label_none() -> None:
    found = kept((scored(number, "map" if number < 30 else "photo") for number in range(60)), {"kind": PLAN})
    assert {url(29), url(30), url(31), url(59)} <= found
    assert len([text for text in found if int(text[16:-4]) >= 30]) <= 2 + 2 + 4


def test_the_limit_of_a_task_holds_and_the_best_of_each_group_come_first() -> None:
    plans = {"kind": ThumbnailPlan("main", "v2", limit=3, capacity=5)}
    first = min(range(50), key=lambda number: sample_order(url(number)))
    assert kept(map(scored, range(50)), plans) == {url(0), url(49), url(first)}
    assert kept(map(scored, range(50)), {"other": PLAN}) == set()


def test_equal_scores_are_ordered_by_a_hash_of_the_url_whatever_came_first() -> None:
    equals = [scored(number)._replace(confidence=0.5, logit=1.0) for number in range(30)]
    plans = {"kind": ThumbnailPlan("main", "v2", limit=40, capacity=3)}
    assert kept(equals, plans) == kept(reversed(equals), plans)
    highest = sorted((url(number) for number in range(30)), key=sample_order)[-3:]
    assert set(highest) <= kept(equals, plans)


def test_a_part_of_the_images_needs_less_capacity_than_all() -> None:
    plans = {"kind": plan_thumbnails("main", "v", 5, [CUT, replace(CUT, model="second")], 200)}
    assert plans["kind"] == ThumbnailPlan("main", "v", 200, 19, (CUT,))
    assert plans_for_part(plans, 1)["kind"].capacity == 19
    assert plans_for_part(plans, 8)["kind"].capacity == 5


def test_a_batch_leaves_pictures_of_the_candidates_when_its_pixels_are_overwritten() -> None:
    slots = [ModelSlot("kind", "main", "v2"), ModelSlot("kind", "second", "v9"), ModelSlot("other", "main", "v2")]
    plans = {"kind": PLAN, "other": ThumbnailPlan("main", "v2", limit=2, capacity=1)}
    collector = Collector(plans)
    pixels = np.stack([np.asarray(picture(number, (64, 48))) for number in range(30)])
    for start in (0, 15):
        batch = [
            Scored(url(n), slots, "map", n / 100, n / 2, Picture(pixels[n], 128, 96, "stretch"))
            for n in range(start, start + 15)
        ]
        collector.offer([*batch, batch[0]._replace(url=None, confidence=0.0)])
        pixels[start : start + 15] = 0  # as the pipeline does when it fills the next batch
    found = {(one.task, one.url): one.picture.encode() for one in collector.thumbnails()}
    assert {key[1] for key in found if key[0] == "kind"} == kept(map(scored, range(30)), {"kind": PLAN})
    assert len([key for key in found if key[0] == "other"]) == 2
    shown = np.asarray(Image.open(BytesIO(found["kind", url(29)]))).astype(int)
    wanted = np.asarray(picture(29, (64, 48))).astype(int)
    assert shown.shape == wanted.shape
    assert abs(shown - wanted).mean() < 12


def test_candidates_are_encoded_early_where_their_pixels_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_k, "HELD_BYTES", 5 * 32 * 32 * 3)
    collector = Collector({"kind": PLAN})
    largest = 0
    for number in range(100):
        collector.offer([scored(number, side_px=32)])
        largest = max(largest, sum(one.picture.pixels.nbytes for one in collector.thumbnails()))
    assert largest == 5 * 32 * 32 * 3
    shades = {one.url: np.asarray(Image.open(BytesIO(one.picture.encode()))) for one in collector.thumbnails()}
    assert all(abs(int(shade.mean()) - int(address[16:-4])) <= 2 for address, shade in shades.items())
