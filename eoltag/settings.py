"""Typed settings for every stage. An unknown key or a value out of range stops the run, naming file and key."""

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eoltag import __version__
from eoltag.errors import SettingsError, UsageError, did_you_mean
from eoltag.places import neighbours, shipped

__all__ = [
    "DecodeSettings",
    "EngineSettings",
    "FetchSettings",
    "PublishSettings",
    "ReuseSettings",
    "RunSettings",
    "Settings",
    "read_settings",
]


class Strict(BaseModel):
    """Frozen and picklable; refuses unknown keys and silent type changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


Rate = Annotated[float, Field(ge=0, le=10_000, strict=False)]
"""Requests a second; 0 means no limit."""


Rung = Literal["scores", "features", "pixels", "not_modified"]
"""A rung of the ladder: where an answer may come from before an image is fetched."""

CopyFormat = Literal["jpeg", "webp"]

RenditionSuffix = Annotated[str, Field(pattern=r"^\.[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$")]


class FetchSettings(Strict):
    """How images are asked for."""

    contact: str = Field("https://eol.org", min_length=1)
    """A URL or mail address in the User-Agent, so that the owner of a server can reach you."""
    requests_per_s: Rate = 10.0
    """Requests a second for each host that `fetch.hosts` does not list, shared by all running tasks; 0 means no
    limit."""
    hosts: dict[str, Rate] = Field(
        default_factory=lambda: {"content.eol.org": 10.0, "localhost": 0.0, "127.0.0.1": 0.0, "[::1]": 0.0}
    )
    """Requests a second for single hosts, by name without port; 0 means no limit."""
    concurrency: int = Field(16, ge=1, le=1024)
    """Requests in flight in each running task."""
    deadline_s: float = Field(30.0, gt=0, le=3600, strict=False)
    """Seconds for one attempt at one image as a whole: from connecting to the last byte, redirects included."""
    connect_timeout_s: float = Field(10.0, gt=0, le=600, strict=False)
    """Seconds for connecting."""
    max_bytes: int = Field(50_000_000, ge=1_000, le=2_000_000_000)
    """A larger file is `too_large`."""
    max_redirects: int = Field(5, ge=0, le=50)
    """After more redirects than this an image is `redirect`."""
    attempts: int = Field(4, ge=1, le=20)
    """For each image and pass of a run, the first attempt included; only transient failures are tried again, and what
    still failed once more at the end of the run. What fails while its host is away does not count."""
    backoff_base_s: float = Field(0.5, ge=0, le=60, strict=False)
    """Seconds to wait after the first failure; doubled after each one, with jitter. A longer `Retry-After` is
    obeyed."""
    backoff_cap_s: float = Field(60.0, ge=0, le=3600, strict=False)
    """No wait between two attempts is longer, in seconds, unless the server asks for it."""
    wait_for_host_s: float = Field(600.0, ge=0, le=86_400, strict=False)
    """Seconds to wait for a host that gives no answer (no connection, silence, 502 to 504, nothing but 429) or asks for
    a pause; other hosts are asked meanwhile. What it does not answer by then is asked again by the next run."""
    allow_private_hosts: bool = False
    """Fetch from private, loopback and link-local addresses as well; also `--allow-private-hosts`."""
    private_networks: tuple[str, ...] = Field((), strict=False)
    """Private networks to fetch from all the same, such as `"10.20.0.0/16"` or `"127.0.0.1"`."""
    opt_out_directives: tuple[str, ...] = Field(("noai", "noimageai"), strict=False)
    """Values of `X-Robots-Tag` that are obeyed; an empty list obeys none."""
    renditions: dict[str, RenditionSuffix] = {}
    """By host: what a smaller copy of an image has before the file ending, such as `.580x360`; asked for in place of
    the image."""

    @field_validator("private_networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ip_network(network)
        return networks

    @property
    def user_agent(self) -> str:
        """Says what asks, which version, and whom to write to."""
        return f"eoltag/{__version__} (+{self.contact})"


class DecodeSettings(Strict):
    """Limits on what is decoded."""

    max_pixels: int = Field(95_000_000, ge=1_000, le=178_000_000)
    """Width times height; a larger image is `too_many_pixels`. EOL's notebooks allowed 95 million; at 178 million
    Pillow itself refuses."""
    timeout_s: float = Field(30.0, gt=0, le=3_600, strict=False)
    """Seconds for decoding one image; one that takes longer is `undecodable`. A photo takes 0.01, one of 95 million
    pixels a few."""


class EngineSettings(Strict):
    """How models run."""

    name: Literal["auto", "openvino", "keras"] = "auto"
    """The runtime of the models. `auto`: Keras where tasks have GPUs or the package has no OpenVINO export, else
    OpenVINO."""
    batch_size: int = Field(0, ge=0, le=4096)
    """Images in one call of the model; 0 takes what is fastest for the runtime: 8 for OpenVINO, 32 for Keras."""
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    """Arithmetic of the models. `auto`: the fastest that the package's card proves and that is fast on the worker's
    processor, else `f32`. A precision that the card does not prove is refused; a worker whose processor lacks it takes
    `f32`."""
    keras_backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"
    """For the Keras engine."""


class RunSettings(Strict):
    """How a run is cut into work."""

    read_ahead_images: int = Field(64, ge=1, le=10_000)
    """Images that are fetched or being fetched but not yet decoded, in each running task."""
    read_ahead_bytes: int = Field(64_000_000, ge=1_000_000, le=4_000_000_000)
    """Their bytes, in each running task."""
    wave_s: float = Field(300.0, gt=0, le=86_400, strict=False)
    """Aim for the time between two commits, in seconds; a crash loses at most about this much work."""
    first_wave_images: int = Field(4_000, ge=1, le=10_000_000)
    """Size of the first wave, which measures the speed where no rate limit tells it."""
    task_s: float = Field(20.0, gt=0, le=3600, strict=False)
    """Aim for the length of one Spark task, in seconds: short enough for a moving progress bar, long enough to hide its
    start and end."""
    first_task_images: int = Field(1000, ge=1, le=100_000)
    """Images of one Spark task in the first wave."""
    lock_stale_s: float = Field(300.0, ge=1, le=86_400, strict=False)
    """A run that gives no sign of life for so many seconds counts as dead, on whatever host it ran: the next run takes
    the output directory over. It gives ten in that time."""
    max_failure_rate: float = Field(0.5, ge=0, le=1, strict=False)
    """Exit code 3 above this share of failed rows; also `--max-failure-rate`."""
    thumbnails: int = Field(200, ge=0, le=5000)
    """Small pictures kept for the report, for each task, over all runs; 0 keeps none and deletes earlier ones; also
    `--thumbnails`."""


class ReuseSettings(Strict):
    """What is kept of each image, and where answers come from before a server is asked."""

    rungs: tuple[Rung, ...] = Field(("scores", "features", "pixels", "not_modified"), strict=False)
    """Where an answer may come from besides fetching, cheapest first: stored `scores`; stored `features` of the model's
    base; stored `pixels`; a server that says `not_modified`. Leave one out to do without it."""
    features: bool = False
    """Keep the features that the base of each model gave, as float16, so that a new model on the same base needs no
    picture; only for packages that have their base and head apart."""
    pixels: int = Field(0, ge=0, le=4096)
    """Keep a small copy of each picture with this shorter side, in pixels, so that a new model with an input no larger
    needs no request; 0 keeps none. 256 serves most models."""
    pixels_format: CopyFormat = "jpeg"
    """File format of these copies: `webp` is a fifth smaller and takes several times as long to make."""
    pixels_quality: int = Field(90, ge=50, le=100)
    """Quality of these copies."""


class PublishSettings(Strict):
    """What a publication says of itself, and what must hold before it takes the place of the current one."""

    title: str = Field("Image tags", min_length=1)
    """The name of the data set, for people and registries."""
    publisher: str = Field("https://eol.org", min_length=1)
    """Who publishes it: a name, or the address of a page."""
    license: str = ""
    """The licence of the tags: an SPDX name such as `CC0-1.0`, or an address; none is claimed if empty."""
    keep: int = Field(10, ge=1, le=10_000)
    """Publications that stay on disk; the current one, and the one before it, always do."""
    max_flip_rate: float = Field(0.1, ge=0, le=1, strict=False)
    """Refuse to publish where a larger share of a task's tags differs from the current publication; also
    `--max-flip-rate`. The task file may say another one."""
    max_failure_rate: float = Field(0.5, ge=0, le=1, strict=False)
    """Refuse to publish where a larger share of a task's rows failed or has no answer yet."""


class Settings(Strict):
    """All of the above, as read from one TOML file with a section each."""

    fetch: FetchSettings = FetchSettings()
    decode: DecodeSettings = DecodeSettings()
    engine: EngineSettings = EngineSettings()
    run: RunSettings = RunSettings()
    reuse: ReuseSettings = ReuseSettings()
    publish: PublishSettings = PublishSettings()


_LONGEST_LINE: Final = 600

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, error: type[UsageError] = SettingsError) -> dict[str, Any]:
    """The content of a file, of this name here or among those that are shipped; `error` names one that is unusable."""
    try:
        return tomllib.loads(shipped(path).read_text(encoding="utf-8-sig"))
    except OSError as problem:
        near = did_you_mean(path.name, neighbours(path)) if isinstance(problem, FileNotFoundError) else ""
        raise error(f"{path}: cannot be read ({problem.strerror or problem}){near}") from problem
    except (ValueError, RecursionError) as problem:  # also numbers of thousands of digits, and deep nesting
        raise error(f"{path}: not valid TOML ({problem})") from problem


def parse(model: type[Model], content: dict[str, Any], source: str, error: type[UsageError] = SettingsError) -> Model:
    """`content` as a `model`; what does not fit raises `error` naming the source, the key and what was wanted."""
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise error(f"{source}: {_explain(model, problem)}") from problem


def read_settings(path: Path | None) -> Settings:
    """Settings from a TOML file over the defaults. Raises SettingsError."""
    if path is None:
        return Settings()
    content = read_toml(path)
    content.pop("job", None)  # options of a job, see eoltag/spark/runtime/job_file.py
    return parse(Settings, content, str(path))


def _explain(model: type[BaseModel], problem: ValidationError) -> str:
    """The first thing wrong, in one line."""
    first = problem.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, first["loc"][:-1]))
        return f"unknown key '{key}'; known here: {', '.join(known)}{did_you_mean(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return _shortened(f"key '{key}': {first['msg']}. Received: {first['input']!r}")


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..."


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the nested model that `path` leads to."""
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        for candidate in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return list(model.model_fields)
