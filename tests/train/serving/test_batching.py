"""How images of many requests meet in one batch, and how much may wait."""

import asyncio
from collections.abc import Sequence
from threading import Event

import numpy as np
import pytest

from eoltag.records import Pixels, Scores
from train.serving.admission import AdmissionControl
from train.serving.batching import Batcher, sizes_up_to, split_batch
from train.serving.refusals import Refused
from train.serving.settings import ServeSettings


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(1, (1,)), (2, (1, 2)), (4, (1, 4)), (16, (1, 4, 16)), (20, (1, 4, 16, 20))]
)
def test_engines_are_loaded_for_growing_batch_sizes(batch_size: int, sizes: tuple[int, ...]) -> None:
    assert sizes_up_to(batch_size) == sizes


@pytest.mark.parametrize(
    ("count", "cut"),
    [
        (1, [(1, 1)]),
        (2, [(1, 1), (1, 1)]),
        (3, [(3, 4)]),
        (5, [(4, 4), (1, 1)]),
        (11, [(4, 4), (4, 4), (3, 4)]),
        (12, [(12, 16)]),
        (16, [(16, 16)]),
        (18, [(16, 16), (1, 1), (1, 1)]),
    ],
)
def test_a_batch_is_cut_so_that_few_places_stay_empty(count: int, cut: list[tuple[int, int]]) -> None:
    assert split_batch(count, (1, 4, 16)) == cut


def picture(value: int) -> Pixels:
    """All of one value."""
    return np.full((2, 2, 3), value, np.uint8)


class Model:
    """Says of a picture which value it has; remembers its batches; may be held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = Event()
        self.may_go.set()

    def predict(self, pixels: Sequence[Pixels]) -> Scores:
        """(N, 1)."""
        assert self.may_go.wait(30)
        values = [int(each[0, 0, 0]) for each in pixels]
        self.batches.append(values)
        if 13 in values:
            raise RuntimeError("unlucky")
        return np.array(values, np.float32)[:, None]


def batcher(model: Model, batch_size: int = 4, wait_s: float = 0.0) -> Batcher:
    """Started; within an event loop."""
    made = Batcher(model.predict, batch_size=batch_size, wait_s=wait_s, on_batch=lambda _: None)
    made.start()
    return made


def test_what_came_while_the_model_worked_goes_together_and_in_order() -> None:
    async def story() -> None:
        model = Model()
        model.may_go.clear()
        waiting = batcher(model)
        answers = [asyncio.create_task(waiting.score(picture(value))) for value in range(7)]
        await asyncio.sleep(0)
        model.may_go.set()
        assert [float(row[0]) for row in await asyncio.gather(*answers)] == [0, 1, 2, 3, 4, 5, 6]
        assert model.batches == [[0, 1, 2, 3], [4, 5, 6]]
        await waiting.stop()

    asyncio.run(story())


def test_an_image_waits_for_one_that_is_being_decoded_and_not_for_nobody() -> None:
    async def story() -> None:
        model = Model()
        waiting = batcher(model, wait_s=60.0)
        await waiting.score(picture(1))  # would take a minute if it waited for nobody
        waiting.decoding = 1
        first = asyncio.create_task(waiting.score(picture(2)))
        for _ in range(10):  # until the batch is begun
            await asyncio.sleep(0)
        waiting.decoding = 0
        await asyncio.gather(first, waiting.score(picture(3)))
        assert model.batches == [[1], [2, 3]]
        await waiting.stop()

    asyncio.run(story())


def test_a_free_model_takes_what_is_ready_while_others_are_being_decoded() -> None:
    async def story() -> None:
        model = Model()
        waiting = batcher(model, wait_s=ServeSettings().wait_ms / 1000)
        waiting.decoding = 1
        answers = [asyncio.create_task(waiting.score(picture(value))) for value in range(3)]
        assert [float(row[0]) for row in await asyncio.gather(*answers)] == [0, 1, 2]
        assert model.batches == [[0, 1, 2]]
        await waiting.stop()

    asyncio.run(story())


def test_the_wait_ends_though_nobody_came() -> None:
    async def story() -> None:
        model = Model()
        waiting = batcher(model, wait_s=0.01)
        waiting.decoding = 1
        await waiting.score(picture(5))
        assert model.batches == [[5]]
        await waiting.stop()

    asyncio.run(story())


def test_a_batch_that_fails_is_told_to_its_own_and_the_next_is_served() -> None:
    async def story() -> None:
        model = Model()
        waiting = batcher(model)
        answers = await asyncio.gather(*(waiting.score(picture(value)) for value in (1, 13)), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["unlucky", "unlucky"]
        assert waiting.is_running
        assert float((await waiting.score(picture(7)))[0]) == 7
        await waiting.stop()
        assert not waiting.is_running

    asyncio.run(story())


def test_one_who_went_away_does_not_disturb_the_others() -> None:
    async def story() -> None:
        model = Model()
        model.may_go.clear()
        waiting = batcher(model)
        gone, stays = (asyncio.create_task(waiting.score(picture(value))) for value in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        model.may_go.set()
        assert float((await stays)[0]) == 2
        await waiting.stop()

    asyncio.run(story())


def test_a_full_queue_names_the_time_that_its_images_will_take() -> None:
    admission = AdmissionControl(max_images=10, max_bytes=100, seconds_per_image=lambda: 0.5)
    with admission.reserve() as first, admission.reserve() as second:
        first.add_images(7)
        with pytest.raises(Refused) as refused:
            second.add_images(4)
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "4"})
        second.add_images(3)
        with pytest.raises(Refused), admission.reserve():
            pass
        second.add_bytes(60)
        with pytest.raises(Refused, match="too much data"):
            first.add_bytes(41)
        first.add_bytes(40)
    assert (admission.images, admission.bytes) == (0, 0)


def test_what_a_request_held_is_given_back_when_it_fails() -> None:
    admission = AdmissionControl(max_images=10, max_bytes=100, seconds_per_image=lambda: 100.0)

    def ask() -> None:
        with admission.reserve() as reservation:
            reservation.add_images(8)
            reservation.add_images(8)

    with pytest.raises(Refused) as refused:
        ask()
    assert refused.value.headers == {"Retry-After": "60"}
    assert (admission.images, admission.bytes) == (0, 0)
