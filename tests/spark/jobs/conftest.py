"""Where it is asked for, every output that a test of the jobs leaves is held against itself by `verify`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.verifying import ASKED_BY, findings_below


@pytest.fixture(autouse=True)
def _outputs_are_right(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test with a Spark session here, unless it is marked `damages_output`."""
    named = {"tmp_path", "session"} <= {*request.fixturenames}
    if os.environ.get(ASKED_BY) != "yes" or not named or request.node.get_closest_marker("damages_output"):
        yield
        return
    session, folder = request.getfixturevalue("session"), request.getfixturevalue("tmp_path")
    yield
    assert not [*findings_below(session, Path(folder))]
