"""How much is in the house: images that wait and bytes that are held, both bounded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from train.serving.refusals import Refused, busy

LONGEST_WAIT_S = 60


class Visit:
    """What one request holds."""

    def __init__(self, house: "House") -> None:
        self._house = house
        self.images = 0
        self.bytes = 0

    def add_bytes(self, count: int) -> None:
        """Raises Refused (503) where all requests together would hold too much."""
        if self._house.bytes + count > self._house.max_bytes:
            raise self._house.refusal("too much data is waiting")
        self._house.bytes += count
        self.bytes += count

    def add_images(self, count: int) -> None:
        """Raises Refused (503) where the queue has no room for all of them."""
        if self._house.images + count > self._house.max_images:
            raise self._house.refusal(f"{self._house.images} images are waiting")
        self._house.images += count
        self.images += count


class House:
    """Counts for all requests. Used from the event loop's thread only, so it needs no lock."""

    def __init__(self, max_images: int, max_bytes: int, seconds_per_image: Callable[[], float]) -> None:
        self.max_images = max_images
        self.max_bytes = max_bytes
        self.images = 0
        self.bytes = 0
        self._seconds_per_image = seconds_per_image

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        """A place for one request; what it holds is given back at the end. Raises Refused (503) when full."""
        if self.images >= self.max_images:
            raise self.refusal(f"{self.images} images are waiting")
        visit = Visit(self)
        try:
            yield visit
        finally:
            self.images -= visit.images
            self.bytes -= visit.bytes

    def refusal(self, why: str) -> Refused:
        """503 with the time that the images in the house will take, 1 to 60 s."""
        wait_s = min(LONGEST_WAIT_S, max(1, ceil(self.images * self._seconds_per_image())))
        return busy(f"busy: {why}; try again in {wait_s} s", wait_s)
