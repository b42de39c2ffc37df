"""What pages promise where a computer's clock is wrong, and on a slow network: times are those of
the server, and what stands there in the end is the newest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from crm.agents import pauses
from crm.database import Database
from tests.agent_console.factories import put_live_agent, put_live_call
from tests.agent_console.test_browser import (  # noqa: F401
    PATIENCE_MS,
    address,
    chromium,
    page,
    sign_in,
)
from tests.crm.cases.factory import opened
from tests.faults.relay import Relay

WRONG = (
    pytest.param(timedelta(hours=-9), id="slow"),
    pytest.param(timedelta(hours=5), id="fast", marks=pytest.mark.full),
)


def seconds(text: str) -> int:
    """Of a time such as 2:05 or 1:02:05."""
    found = re.search(r"(?:(\d+):)?(\d+):(\d\d)", text)
    assert found, text
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])


@pytest.mark.parametrize("wrong", WRONG)
def test_timers_and_due_times_are_right_with_a_wrong_clock(
    page: Page, sqlite: Database, wrong: timedelta  # noqa: F811
) -> None:
    """The clock is wrong from the first on, and is set while the page is open."""
    page.clock.install(time=datetime.now(UTC) + wrong)
    page.clock.resume()
    began = datetime.now(UTC)
    with sqlite.transaction() as session:
        pauses.note(session, "minh", "rest", began - timedelta(minutes=17))
        due = opened(session, now=began, by="huy").code
        overdue = opened(session, now=began - timedelta(days=1), by="huy").code
    put_live_call(sqlite, 2, queued_at=began - timedelta(seconds=130))
    put_live_agent(sqlite, 3, state="wrapup", since=began - timedelta(seconds=20),
                   wrapup_until=began + timedelta(minutes=9))
    put_live_agent(sqlite, 4, "minh", state="paused", reason="rest")

    def is_right(ago: str, at: timedelta) -> None:
        """A timer that has run since a moment before or after the beginning."""
        told = timedelta(seconds=seconds(page.locator(ago).inner_text()))
        gone = datetime.now(UTC) - began
        assert abs((told - at - gone).total_seconds()) < 5, (ago, told, gone)

    sign_in(page, "huy")
    expect(page.locator("#figure-longest b")).to_contain_text(":")
    expect(page.locator("tr[data-agent=minh]")).to_contain_text("quá 2:")
    is_right("#figure-longest b", timedelta(seconds=130))
    is_right("tr[data-agent=lan] td.number", timedelta(seconds=20))
    page.clock.set_system_time(datetime.now(UTC) - wrong)  # between two words of the server
    page.wait_for_timeout(1100)
    is_right("#figure-longest b", timedelta(seconds=130))
    is_right("tr[data-agent=minh] td:nth-child(2)", timedelta(minutes=2))

    page.goto("/cases")  # whether a case is late is the server's word
    late = page.locator(f"tr[data-case='{overdue}']")
    expect(late).to_contain_text("quá hạn")
    expect(page.locator(f"tr[data-case='{due}']")).not_to_contain_text("quá hạn")


@pytest.mark.full
def test_a_second_tab_begins_with_the_time_that_it_is(page: Page, sqlite: Database) -> None:  # noqa: F811
    """Though the server has been silent for a while."""
    began = datetime.now(UTC) - timedelta(seconds=100)
    put_live_agent(sqlite, 3, state="talking", since=began)
    sign_in(page, "huy")
    expect(page.locator("tr[data-agent=lan]")).to_be_visible()
    page.wait_for_timeout(4000)
    second = page.context.new_page()
    second.goto("/supervisor")
    told = second.wait_for_function(
        "document.querySelector('tr[data-agent=lan] td.number')?.textContent"
    ).json_value()
    gone = (datetime.now(UTC) - began).total_seconds()
    assert gone - 2.5 < seconds(str(told)) <= gone + 1


class SlowNetwork(Relay):
    """Passes on what a browser and the console say, each piece `delay_s` later; while it is `held`,
    nothing comes through."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self.port, self.delay_s, self.held = 0, 0.4, False
        self._to = to
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._to)
        for one in (self._pass(reader, ours), self._pass(theirs, writer)):
            task = asyncio.create_task(one)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                await asyncio.sleep(self.delay_s)
                while self.held:
                    await asyncio.sleep(0.1)
                writer.write(piece)
                await writer.drain()
            writer.close()


@pytest.fixture
def network(address: str) -> Iterator[SlowNetwork]:  # noqa: F811
    with SlowNetwork(int(address.rpartition(":")[2])) as made:
        yield made


@pytest.mark.full
def test_what_was_held_up_on_the_way_is_told_as_old_and_the_newest_stands_in_the_end(
    chromium: Chromium, network: SlowNetwork, sqlite: Database  # noqa: F811
) -> None:
    context = chromium.new_context(base_url=f"http://127.0.0.1:{network.port}")
    board = context.new_page()
    board.set_default_timeout(PATIENCE_MS)
    put_live_agent(sqlite, 2, state="talking")
    sign_in(board, "huy")
    row = board.locator("tr[data-agent=lan]")
    expect(row).to_have_attribute("data-state", "talking")
    network.held = True
    for seq in range(3, 303):
        put_live_agent(sqlite, seq, state=("ready", "talking")[seq % 2])
    since = datetime.now(UTC)
    put_live_agent(sqlite, 303, state="paused", reason="lunch", since=since)
    expect(board.locator("#banner-feed")).to_be_visible(timeout=90_000)  # silent for 35 s
    expect(row).to_have_attribute("data-state", "talking")
    network.held = False
    expect(row).to_have_attribute("data-state", "paused")
    expect(board.locator("#banner-feed")).to_be_hidden()
    told = seconds(row.locator("td.number").inner_text())
    assert abs(told - (datetime.now(UTC) - since).total_seconds()) < 4
    context.close()
