"""Thumbnails: the right images are kept, within bounds, in their own shape."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from eoltag.image.decode import decode
from eoltag.records import Cut, Fit, InputSpec, ModelSlot
from eoltag.report.thumbnails import (
    MOST_BYTES,
    SIDE_PX,
    Negative,
    Seen,
    Shelf,
    TaskShelf,
    Thumbnail,
    encode,
    keep,
    merged,
    sample_order,
    shelf_for,
    thinned,
)
from tests.support.pictures import encoded, picture

CUT = Cut("sure", "main", "logit", 5.25, ("map",))
PLAN = {"kind": TaskShelf("main", "v2", limit=40, depth=2, cuts=(CUT,))}


def url(number: int) -> str:
    """Of an image."""
    return f"https://eol.org/{number}.jpg"


def one(number: int, label: str = "map", version: str = "v2") -> Thumbnail:
    """An image of which the model is the surer the higher its number."""
    return Thumbnail("kind", url(number), version, label, number / 100, number / 2, b"jpeg")


def shelved(thumbnails: Sequence[Thumbnail]) -> set[str]:
    """URLs that a shelf keeps of these."""
    return {kept.url for kept in merged(PLAN, thumbnails).kept()}


def test_a_shelf_keeps_the_surest_the_least_sure_those_beside_the_cut_and_a_draw() -> None:
    numbers = range(60)
    drawn = sorted(numbers, key=lambda number: sample_order(url(number)))[:4]
    wanted = {0, 1, 58, 59, 9, 10, 11, 12, *drawn}
    assert shelved([one(number) for number in numbers]) == {url(number) for number in wanted}


def test_each_label_has_its_own_place_and_a_cut_of_another_label_none() -> None:
    kept = shelved([one(number, "map" if number < 30 else "photo") for number in range(60)])
    assert {url(29), url(30), url(31), url(59)} <= kept
    assert len([text for text in kept if int(text[16:-4]) >= 30]) <= 2 + 2 + 4


def test_shelves_of_parts_merge_to_the_shelf_of_the_whole() -> None:
    everything = [one(number) for number in range(60)]
    parts = [merged(PLAN, everything[start::4]).kept() for start in range(4)]
    assert merged(PLAN, *parts).kept() == merged(PLAN, everything).kept()
    assert merged(PLAN, *parts, *parts).kept() == merged(PLAN, everything).kept()


def test_what_earlier_waves_have_bettered_is_not_kept() -> None:
    floors = merged(PLAN, [one(number) for number in range(60)]).full()
    later = Shelf(PLAN, floors)
    drawn = sorted(range(60), key=lambda number: sample_order(url(number)))[:4]
    assert not any(later.offer(one(number)) for number in range(13, 58) if number not in drawn)
    assert later.offer(Thumbnail("kind", "https://eol.org/new.jpg", "v2", "map", 0.999, 99.0, b"jpeg"))


def test_the_limit_of_a_task_holds_and_the_best_of_each_group_come_first() -> None:
    plan = {"kind": TaskShelf("main", "v2", limit=3, depth=5)}
    kept = merged(plan, [one(number) for number in range(50)]).kept()
    first = min(range(50), key=lambda number: sample_order(url(number)))
    assert {thumbnail.url for thumbnail in kept} == {url(0), url(49), url(first)}
    assert merged({"kind": TaskShelf("main", "v2", limit=0, depth=0)}, [one(1), one(2)]).kept() == ()


def test_images_that_only_an_older_model_saw_give_way() -> None:
    plan = {"kind": TaskShelf("main", "v2", limit=2, depth=1)}
    old = [one(number, version="v1") for number in (0, 1, 98, 99)]
    assert {kept.url for kept in merged(plan, old, [one(40), one(60)]).kept()} == {url(40), url(60)}


def test_an_image_that_is_seen_again_is_replaced() -> None:
    again = Thumbnail("kind", url(7), "v2", "map", 0.5, 1.0, b"new")
    assert [kept.jpeg for kept in merged(PLAN, [one(7), one(8)], [again]).kept()] == [b"new", b"jpeg"]
    shelf = merged(PLAN, [one(7)])
    assert shelf.offer(again)
    assert shelf.kept() == (again,)


def test_a_part_of_the_images_needs_less_room_than_all() -> None:
    plan = {"kind": shelf_for("main", "v", 5, [CUT], 200)}
    assert plan["kind"].depth == 19
    assert thinned(plan, 1)["kind"].depth == 19
    assert thinned(plan, 8)["kind"].depth == 5


def test_a_batch_leaves_pictures_of_what_stays_and_of_nothing_else() -> None:
    slots = [ModelSlot("kind", "main", "v2"), ModelSlot("kind", "second", "v9"), ModelSlot("other", "main", "v2")]
    shelf = Shelf({**PLAN, "other": TaskShelf("main", "v2", limit=2, depth=1)})
    pixels = np.stack([np.asarray(picture(number, (64, 48))) for number in range(30)])
    for start in (0, 15):
        batch = [Seen(url(n), slots, "map", n / 100, n / 2, pixels[n], 128, 96) for n in range(start, start + 15)]
        keep(shelf, [*batch, Seen(None, slots, "map", 0.0, 0.0, pixels[0], 1, 1)], "stretch")
        pixels_before = pixels[start : start + 15].copy()
        pixels[start : start + 15] = 0  # as the pipeline does when it fills the next batch
    assert pixels_before.any()
    kept = {(thumbnail.task, thumbnail.url): thumbnail.jpeg for thumbnail in shelf.kept()}
    assert {key[1] for key in kept if key[0] == "kind"} == shelved([one(number) for number in range(30)])
    assert len({jpeg for (task, _), jpeg in kept.items() if task == "kind"}) == len(kept) - 2
    shown = np.asarray(Image.open(BytesIO(kept["kind", url(29)]))).astype(int)
    wanted = np.asarray(picture(29, (64, 48))).astype(int)
    assert shown.shape == wanted.shape
    assert abs(shown - wanted).mean() < 12


@pytest.mark.parametrize(
    ("fit", "size"), [("stretch", (160, 80)), ("crop", (160, 160)), ("pad", (160, 80))], ids=lambda value: str(value)
)
def test_a_thumbnail_has_the_shape_of_what_the_model_was_shown(fit: Fit, size: tuple[int, int]) -> None:
    file = encoded(picture(3, (600, 300)))
    pixels = decode(file, [InputSpec(224, 224, fit, "bilinear")], 10**7).pixels[0]
    jpeg = encode(Negative(pixels, 600, 300, fit))
    shown = Image.open(BytesIO(jpeg))
    assert (shown.format, shown.size) == ("JPEG", size)
    if fit != "crop":
        wanted = np.asarray(picture(3, (600, 300)).resize(size)).astype(int)
        assert abs(np.asarray(shown).astype(int) - wanted).mean() < 6


def test_no_picture_is_enlarged_or_large() -> None:
    small = Image.open(BytesIO(encode(Negative(np.asarray(picture(1, (32, 32))), 4000, 4000, "stretch"))))
    assert small.size == (32, 32)
    thin = Image.open(BytesIO(encode(Negative(np.asarray(picture(1, (96, 96))), 10_000, 3, "stretch"))))
    assert thin.size == (96, 1)
    noise = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    assert max(Image.open(BytesIO(encode(Negative(noise, 10, 10, "stretch")))).size) == SIDE_PX
    detailed = np.asarray(picture(2, (224, 224)).resize((224, 224))) ^ (noise >> 3)
    assert len(encode(Negative(detailed, 224, 224, "stretch"))) <= MOST_BYTES
