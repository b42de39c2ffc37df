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


# What is dealt out first, the longest first, so that what is dealt last is short and all workers
# end together; the files of one row go to one worker, in this order. Calls wait more than they
# work: six hotlines keep two cores busy and no caller waiting.
FIRST = (
    ("faults/test_matrix",), ("faults/test_long",),
    ("live/test_lookup", "live/test_walks", "live/test_load"),
    ("live/test_many_callers",), ("live/test_office_hours",), ("live/test_carriers",),
    ("live/test_menus",), ("scripts/test_packages",), ("fuzz/test_files",),
    ("agent_console/test_every_page",),
    ("live/test_doctor", "live/test_door", "live/test_recorded", "live/test_phone",
     "live/test_rotation", "live/test_skills"),
    ("live/test_rooms",), ("live/test_faults",), ("live/test_surge",), ("live/test_agent",),
    ("live/test_network",), ("live/test_callbacks",), ("live/test_apply",), ("live/test_shift",),
    ("live/test_training",), ("live/test_manual_steps",), ("live/test_doctor_faults",),
    ("live/test_desks",), ("live/test_whole_way",),
    ("live/test_mobile",), ("live/test_kept_calls",), ("live/test_languages",),
    ("live/test_web_call",), ("live/test_own_asterisk",), ("live/test_start",),
    ("agent_console/test_browser",), ("scripts/test_pages",),
    ("scripts/test_manuals",), ("agent_console/test_api_description",),
    ("agent_console/test_hidden_identity",), ("crm/test_database",),
)
TESTS = Path(__file__).parent


def _place(path: Path) -> tuple[int, int]:
    """Which row the tests of a file stand in, and where; (len(FIRST), 0): in none. What calls
    and stands in none is dealt out before what does not."""
    name = path.relative_to(TESTS).with_suffix("").as_posix()
    for number, row in enumerate(FIRST):
        if name in row:
            return number, row.index(name)
    return (0, 0) if name.startswith(("live/", "faults/")) else (len(FIRST), 0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


class Rows(LoadScopeScheduling):  # type: ignore[misc]
    """One worker runs the tests of a file, or of a row of files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        name = file.removeprefix("tests/").removesuffix(".py")
        return next((" ".join(row) for row in FIRST if name in row), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows:
    return Rows(config, log)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pytest's, by a short name: a state folder holds sockets, whose paths have 107 bytes at most.
    """
    return tmp_path_factory.mktemp("t")


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
