"""Settings of the service: its limits, and how it batches."""

from typing import Literal

from pydantic import Field, model_validator

from eoltag.errors import SettingsError
from eoltag.settings import Strict


class ServeSettings(Strict):
    """Every limit of the service. The defaults suit one model on a small machine."""

    host: str = Field("127.0.0.1", min_length=1)
    """Address to listen on; 127.0.0.1 is this machine only, 0.0.0.0 lets in everybody who can reach it."""
    port: int = Field(5000, ge=0, le=65_535)
    """Port to listen on; 0 takes any that is free."""
    engine: Literal["auto", "openvino", "keras"] = "auto"
    """The runtime of the model; `auto` is OpenVINO where the package has it."""
    batch_size: int = Field(8, ge=1, le=256)
    """Images in one call of the model, at most. On a CPU a larger batch saves nothing and takes longer; on a GPU it
    saves time."""
    wait_ms: float = Field(0.0, ge=0, le=1_000, strict=False)
    """Longest wait, in milliseconds, of a decoded image for others that are being decoded while the model is idle.
    Batches fill by themselves while the model works; a few milliseconds may pay on a GPU."""
    queue_images: int = Field(256, ge=1, le=100_000)
    """Images that are not answered yet; above it, requests get 503."""
    max_images: int = Field(32, ge=1, le=10_000)
    """Images in one request."""
    max_bytes: int = Field(20_000_000, ge=1_000, le=2_000_000_000)
    """Bytes of one image file."""
    max_request_bytes: int = Field(100_000_000, ge=1_000, le=4_000_000_000)
    """Bytes of the body of one request."""
    max_held_bytes: int = Field(400_000_000, ge=1_000, le=64_000_000_000)
    """Bytes of all bodies that are not answered yet; above it, requests get 503."""
    max_pixels: int = Field(50_000_000, ge=1_000, le=178_000_000)
    """Width times height of one image."""
    decode_s: float = Field(5.0, gt=0, le=3_600, strict=False)
    """Seconds for decoding one image, which is done in a process of its own; one that takes longer is `undecodable`."""
    deadline_s: float = Field(30.0, gt=0, le=3_600, strict=False)
    """Seconds for the head of a request to arrive, for its body, as many for its images to be classified, and for the
    last requests to finish when the service stops."""

    cors_origins: tuple[str, ...] = Field((), strict=False)
    """Origins whose pages may ask from a browser, such as https://example.org; `*` for all."""

    @model_validator(mode="after")
    def _one_request_fits(self) -> "ServeSettings":
        for name, whole in (("max_images", "queue_images"), ("max_request_bytes", "max_held_bytes")):
            wanted, limit = getattr(self, name), getattr(self, whole)
            if wanted > limit:  # such a request would be told to come again for ever
                raise SettingsError(f"{name} ({wanted}) must not be above {whole} ({limit})")
        return self
