"""The models of a run as a worker sees them: which networks an image passes, and what stays loaded between tasks."""

import gc
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol, TypeVar

from eoltag.model.card import EngineName
from eoltag.model.engines import BaseEngine, Engine, HeadEngine, best_batch_size, load_base, load_engine, load_head
from eoltag.model.package import Card, unpack
from eoltag.records import InputSpec, ModelSlot
from eoltag.settings import EngineSettings

T = TypeVar("T")


class Held(Protocol):
    """Bytes that came with a task: a Spark broadcast, or anything alike."""

    @property
    def value(self) -> bytes:
        """The bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Carried:
    """Bytes that travel by themselves, where there is no broadcast."""

    value: bytes


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a worker gets a model from, should it not have it yet. Each part is a packed package, or None."""

    engine: EngineName
    card: Card
    whole: Held | None = None
    """The model in one piece."""
    base: Held | None = None
    """Its base, which it shares with every other source of the same `card.base_version`."""
    head: Held | None = None


@dataclass(frozen=True)
class Network:
    """What one picture passes through once: a whole model, or a base with the heads that stand on it."""

    key: str
    engine: EngineName
    spec: InputSpec
    versions: tuple[str, ...]
    base_version: str | None = None


@dataclass(frozen=True)
class Models:
    """Every model of a run; travels to the workers by pickle, the packages by broadcast."""

    sources: Mapping[str, ModelSource]
    """By model version."""
    slots: tuple[ModelSlot, ...]
    """Their places in the tasks."""
    settings: EngineSettings
    threads: int
    """CPU threads for inference."""

    @cached_property
    def networks(self) -> list[Network]:
        """The networks for pictures. A model of which only a head is known has none."""
        shared: dict[str, list[str]] = {}
        found = []
        for version, source in self.sources.items():
            if source.base is not None:
                shared.setdefault(source.card.base_version, []).append(version)
            elif source.whole is not None:
                found.append(Network(version, source.engine, source.card.spec, (version,)))
        for base, versions in shared.items():
            one = self.sources[versions[0]]
            found.append(Network(f"base {base}", one.engine, one.card.spec, tuple(versions), base))
        return found

    def networks_for(self, versions: Collection[str]) -> list[Network]:
        """Those that score for one of these model versions."""
        return [network for network in self.networks if any(version in versions for version in network.versions)]

    def batch_size(self, network: Network) -> int:
        """Pictures in one call of the network."""
        return best_batch_size(network.engine, self.settings.batch_size)

    def whole(self, version: str) -> Engine:
        """The model in one piece, loaded."""
        source, wanted = self.sources[version], self.settings
        assert source.whole is not None
        packed, size = source.whole, best_batch_size(source.engine, wanted.batch_size)
        return _loaded(
            ("whole", version, source.engine, wanted.precision, size, self.threads),
            lambda: load_engine(
                source.engine,
                unpack(packed.value),
                batch_size=size,
                threads=self.threads,
                keras_backend=wanted.keras_backend,
                precision=wanted.precision,
            ),
            len(self.sources),
        )

    def base(self, network: Network) -> BaseEngine:
        """The base of a network, loaded."""
        packed, size = self.sources[network.versions[0]].base, self.batch_size(network)
        assert packed is not None
        return _loaded(
            ("base", network.key, network.engine, size, self.threads),
            lambda: load_base(network.engine, unpack(packed.value), **self._options(size)),
            len(self.sources),
        )

    def head(self, version: str, batch_size: int) -> HeadEngine:
        """The head of a model, loaded. batch_size: rows of features that it takes at once."""
        source = self.sources[version]
        packed = source.head
        assert packed is not None
        return _loaded(
            ("head", version, source.engine, batch_size, self.threads),
            lambda: load_head(source.engine, unpack(packed.value), **self._options(batch_size)),
            2 * len(self.sources),
        )

    def load(self) -> None:
        """Load everything that pictures need, so that the first task need not."""
        for network in self.networks:
            if network.base_version is None:
                self.whole(network.key)
                continue
            self.base(network)
            for version in network.versions:
                self.head(version, self.batch_size(network))

    def _options(self, batch_size: int) -> dict[str, Any]:
        return {"batch_size": batch_size, "threads": self.threads, "keras_backend": self.settings.keras_backend}


MOST_LOADED: Final = 8
"""Engines that stay loaded, unless one run wants more: a model takes some 100 MB of a worker's memory."""

_LOADED: Final[dict[tuple[object, ...], Any]] = {}
"""Engines of this process, the one used last at the end. Spark keeps worker processes between tasks and jobs, so a
model is loaded once per worker, and is dropped when others have been used since."""


def _loaded(key: tuple[object, ...], load: Callable[[], T], wanted: int) -> T:
    """The engine of that key; loaded now where it is not yet. wanted: engines that the run uses."""
    if key not in _LOADED:
        _drop_unused(max(MOST_LOADED, wanted) - 1)
        _LOADED[key] = load()
        gc.freeze()  # what was imported stays: Spark collects garbage after every task, which took 25 ms
    engine: T = _LOADED.pop(key)
    _LOADED[key] = engine  # the end of the order of use
    return engine


def _drop_unused(most: int) -> None:
    """Keep at most so many engines, those used last."""
    if len(_LOADED) <= most:
        return
    while len(_LOADED) > most:
        del _LOADED[next(iter(_LOADED))]
    gc.unfreeze()  # an engine may be held by a circle of its own, which only the collector opens
    gc.collect()
