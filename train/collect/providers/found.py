"""Query of a provider, and the image hits that answer it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from train.collect.providers.client import ApiClient
from train.collect.providers.policy import Policy


@dataclass(frozen=True, slots=True)
class ImageHit:
    """One image that a service offers, with what its owner wants to be told of."""

    url: str
    page: str | None = None
    """URL of the page for people: the file page, observation, occurrence or post."""
    licence: str | None = None
    """The licence as the service states it, a URL where it gives one; None where it states none."""
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One term to search for."""

    term: str
    licences: frozenset[str] | None = None
    """Codes, see providers.licences; None takes every licence. The provider may filter, the caller does in any case."""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the name of their environment variable."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that images are searched with, through its official API."""

    name: str
    policy: Policy
    """Its published rules."""
    search: Callable[[ApiClient, Query], Iterator[ImageHit]]
    """Asks for pages as results are taken, best first. Raises DataError."""
    needs: tuple[str, ...] = ()
    """Environment variables without which it does not answer."""
    takes: tuple[str, ...] = ()
    """Environment variables with which it allows more."""
    with_credentials: Policy | None = None
    """Its rules for those who show what `takes` names."""
    states_licences: bool = True
    """False: it cannot be asked for licences."""
    is_filtered: bool = False
    """True: it filters by licence itself and does not say which licence an image has."""

    def policy_for(self, credentials: Mapping[str, str]) -> Policy:
        """The rules that these credentials bring."""
        is_known = self.with_credentials is not None and all(name in credentials for name in self.takes)
        return self.with_credentials if is_known and self.with_credentials else self.policy
