"""Fixtures that all tests share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from crm.database import Database
from tests.databases import KINDS, Databases

# A machine that stands still for half a second makes no test wrong.
settings.register_profile("hotline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hotline")


# What shares a worker besides the tests of one file. The first two lines begin at once and are
# long; a third worker does all that calls nobody, then the last line. Calls wait more than they
# work, so that three hotlines keep two cores busy and no caller waiting. Those that share one
# hotline come last in their line, so that it does not run beside another.
CALLING = (
    ("test_callbacks", "test_faults", "test_surge", "test_many_callers", "test_languages",
     "test_apply", "test_carriers", "test_rooms", "test_office_hours", "test_restored",
     "test_site_loss", "test_hostile_sip", "test_by_the_manual"),
    ("test_desks", "test_shift", "test_whole_way", "test_menus", "test_lookup", "test_walks",
     "test_load", "test_training"),
    ("test_agent", "test_mobile", "test_kept_calls", "test_web_call", "test_network",
     "test_own_asterisk", "test_start", "test_doctor_faults", "test_doctor", "test_door",
     "test_recorded", "test_phone", "test_rotation", "test_skills"),
)
_CALLS_NOBODY = len(CALLING) - 1  # its place: before the last line


def _place(path: Path) -> tuple[int, int]:
    """Which line of the run the tests of a file stand in, and where."""
    if path.parent.name != "live":
        return _CALLS_NOBODY, 0
    line = next(line for line in CALLING if path.stem in line)
    index = CALLING.index(line)
    return index + (index >= _CALLS_NOBODY), line.index(path.stem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


class Lines(LoadScopeScheduling):  # type: ignore[misc]
    """One worker runs the tests of a file, or of a line of live tests."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        line, _ = _place(path)
        return path.name if line == _CALLS_NOBODY else f"line {line}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lines:
    return Lines(config, log)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes databases; the PostgreSQL server under them lives as long as the tests run."""
    with Databases(tmp_path_factory.mktemp("databases")) as made:
        yield made


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """An empty migrated database: the test runs on SQLite and on PostgreSQL."""
    with databases.new(request.param) as made:
        yield made


@pytest.fixture
def sqlite(databases: Databases) -> Iterator[Database]:
    """An empty migrated database on SQLite, for tests that have no use for both kinds."""
    with databases.new("sqlite") as made:
        yield made
