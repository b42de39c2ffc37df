"""Fixtures that all tests share."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from crm.database import Database
from tests.databases import KINDS, Databases

# A machine that stands still for half a second makes no test wrong.
settings.register_profile("hotline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hotline")


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
