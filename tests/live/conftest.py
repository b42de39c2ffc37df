"""One hotline for all live tests that do not break it."""

from collections.abc import Iterator

import pytest

from tests.live.running import Hotline, running_hotline


@pytest.fixture(scope="package")
def hotline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotline]:
    """A running hotline on SQLite. Tests use callers' numbers of their own. It is
    stopped when a worker has no more live tests to run."""
    home = tmp_path_factory.mktemp("live") / "home"
    with running_hotline(home) as running:
        yield running
