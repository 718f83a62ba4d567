"""Typed settings for every stage. An unknown key or a value out of range stops the run, naming file and key."""

import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eoltag import __version__
from eoltag.errors import SettingsError, UsageError


class Strict(BaseModel):
    """Frozen and picklable; refuses unknown keys and silent type changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


Rate = Annotated[float, Field(ge=0, le=10_000, strict=False)]
"""Requests a second; 0 means no limit."""


RenditionSuffix = Annotated[str, Field(pattern=r"^\.[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$")]


class FetchSettings(Strict):
    """How images are asked for."""

    contact: str = Field("https://eol.org", min_length=1)
    """Where a server's owner can complain: a URL or mail address, sent in the User-Agent."""
    requests_per_s: Rate = 10.0
    """For a host that `hosts` does not list; shared by all running tasks."""
    hosts: dict[str, Rate] = Field(
        default_factory=lambda: {"content.eol.org": 10.0, "localhost": 0.0, "127.0.0.1": 0.0, "[::1]": 0.0}
    )
    concurrency: int = Field(16, ge=1, le=1024)
    """Requests in flight per running task."""
    deadline_s: float = Field(30.0, gt=0, le=3600, strict=False)
    """For one attempt as a whole: connect, redirects and the last byte."""
    connect_timeout_s: float = Field(10.0, gt=0, le=600, strict=False)
    max_bytes: int = Field(50_000_000, ge=1_000, le=2_000_000_000)
    max_redirects: int = Field(5, ge=0, le=50)
    attempts: int = Field(4, ge=1, le=20)
    """First try included."""
    backoff_base_s: float = Field(0.5, ge=0, le=60, strict=False)
    backoff_cap_s: float = Field(60.0, ge=0, le=3600, strict=False)
    """No wait is longer; a server that asks for more is asked again by the next run."""
    allow_private_hosts: bool = False
    private_networks: tuple[str, ...] = Field((), strict=False)
    """Private networks that may be fetched from all the same, as 10.20.0.0/16 or 127.0.0.1."""
    opt_out_directives: tuple[str, ...] = Field(("noai", "noimageai"), strict=False)
    """X-Robots-Tag directives that are obeyed; an empty list obeys none."""
    renditions: dict[str, RenditionSuffix] = {}
    """Host -> what a smaller copy of its images has before the file ending, as .580x360; asked for in their place."""

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
    """Width times height; 95 million is what EOL's notebooks allowed, 178 million where Pillow itself refuses."""


class EngineSettings(Strict):
    """How models run."""

    name: Literal["auto", "openvino", "keras"] = "auto"
    """auto: keras where the task has a GPU or the package has no OpenVINO export, else openvino."""
    batch_size: int = Field(0, ge=0, le=4096)
    """Images in one call of the model; 0 is what the runtime is quickest with, see engines.best_batch_size."""
    precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    """auto: the fastest that the package's card proves and the worker's processor is fast at, else f32. A precision by
    name is refused where the card does not prove it, and still f32 on a worker whose processor lacks it."""
    keras_backend: Literal["tensorflow", "jax", "torch"] = "tensorflow"


class RunSettings(Strict):
    """How a run is cut into work."""

    read_ahead_images: int = Field(64, ge=1, le=10_000)
    """Images fetched or being fetched but not yet decoded, per running task."""
    read_ahead_bytes: int = Field(64_000_000, ge=1_000_000, le=4_000_000_000)
    wave_s: float = Field(300.0, gt=0, le=86_400, strict=False)
    """Aim for one wave, by the speed measured so far: a killed run loses at most about this much work."""
    first_wave_images: int = Field(4_000, ge=1, le=10_000_000)
    """The first wave measures the speed, where no rate limit tells it."""
    task_s: float = Field(20.0, gt=0, le=3600, strict=False)
    """Aim for one Spark task: short enough for a moving progress bar, long enough to hide its start and end."""
    first_task_images: int = Field(1000, ge=1, le=100_000)
    max_failure_rate: float = Field(0.5, ge=0, le=1, strict=False)
    thumbnails: int = Field(200, ge=0, le=5000)
    """Small pictures kept for the report, for each task, over all runs; 0 keeps none and drops earlier ones."""


class Settings(Strict):
    """All of the above, as read from one TOML file with a section each."""

    fetch: FetchSettings = FetchSettings()
    decode: DecodeSettings = DecodeSettings()
    engine: EngineSettings = EngineSettings()
    run: RunSettings = RunSettings()


Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, error: type[UsageError] = SettingsError) -> dict[str, Any]:
    """The file's content; a missing or malformed file raises `error` naming it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
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
        known = ", ".join(sorted(_fields_at(model, first["loc"][:-1])))
        return f"unknown key '{key}'; known here: {known}"
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return f"key '{key}': {first['msg']}. Received: {first['input']!r}"


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
