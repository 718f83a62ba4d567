"""Admission control: bounds the images that wait and the bytes that are held by all requests together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from train.serving.refusals import Refused, busy

LONGEST_WAIT_S = 60


class Reservation:
    """Images and bytes that one request holds."""

    def __init__(self, control: "AdmissionControl") -> None:
        self._control = control
        self.images = 0
        self.bytes = 0

    def add_bytes(self, count: int) -> None:
        """Raises Refused (503) where all requests together would hold too much."""
        if self._control.bytes + count > self._control.max_bytes:
            raise self._control.refusal("too much data is waiting")
        self._control.bytes += count
        self.bytes += count

    def add_images(self, count: int) -> None:
        """Raises Refused (503) where the queue has no room for all of them."""
        if self._control.images + count > self._control.max_images:
            raise self._control.refusal(f"{self._control.images} images are waiting")
        self._control.images += count
        self.images += count


class AdmissionControl:
    """Counts what all requests hold. Used from the event loop's thread only, so it needs no lock."""

    def __init__(self, max_images: int, max_bytes: int, seconds_per_image: Callable[[], float]) -> None:
        self.max_images = max_images
        self.max_bytes = max_bytes
        self.images = 0
        self.bytes = 0
        self._seconds_per_image = seconds_per_image

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """A reservation for one request, released at the end. Raises Refused (503) when the queue is full."""
        if self.images >= self.max_images:
            raise self.refusal(f"{self.images} images are waiting")
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self.images -= reservation.images
            self.bytes -= reservation.bytes

    def refusal(self, why: str) -> Refused:
        """503 with the time that the waiting images will take, 1 to 60 s."""
        wait_s = min(LONGEST_WAIT_S, max(1, ceil(self.images * self._seconds_per_image())))
        return busy(f"busy: {why}; try again in {wait_s} s", wait_s)
