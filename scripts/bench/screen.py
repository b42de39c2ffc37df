"""From an AMI event to the agent's screen, with few and with many consoles connected.

    python -m scripts.bench.screen [--calls 20] [--consoles 300]

A whole hotline on this machine, an agent with a SIP desk phone and the agent's page in a real
browser. Callers ask for a person; the clock runs from the moment `AgentCalled` arrives on an AMI
connection of our own until the page shows the caller's number. The desk phone is used so that the
page knows of the call by the listener, the database and the feed alone. Beside it stands how late
this machine comes to a beat of 20 ms: what the machine itself adds; and the console's memory when a
quarter of the calls had been shown, and after the last: what is sent leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import requests
from playwright.async_api import Page, expect

from ivr.ami import Link
from ivr.phone import Phone
from tests.live.browser import chromium, signed_in
from tests.live.people import Console, called, citizen, until_heard
from tests.live.running import Hotline, running_hotline

TARGETS_MS = {False: 150, True: 300}  # with many consoles or without

# Every change of the page is looked through for a caller's number; when each was first seen.
WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const number of document.querySelector('#caller').innerText.match(/09\\d{8}/g) ?? [])
      window.seen[number] ??= Date.now();
  };
  new MutationObserver(look).observe(
    document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def beat_ms(count: int = 250) -> list[float]:
    """How late each of so many beats of 20 ms comes."""
    late = []
    due = time.monotonic()
    for _ in range(count):
        due += 0.02
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        late.append((time.monotonic() - due) * 1000)
    return late


@asynccontextmanager
async def ringing_times(hotline: Hotline) -> AsyncIterator[dict[str, float]]:
    """When AgentCalled arrived for each caller (ms since 1970), filled as they come."""
    times: dict[str, float] = {}
    link = Link(hotline.settings.ami_bind)
    await link.open("events", hotline.secrets.ami_events)

    async def listen() -> None:
        while True:
            await link.wake.wait()
            link.wake.clear()
            now = time.time() * 1000
            while link.inbox:
                event = link.inbox.popleft()
                if event.event == "AgentCalled":
                    times.setdefault(event.calleridnum, now)

    task = asyncio.create_task(listen())
    try:
        yield times
    finally:
        task.cancel()
        link.drop("done")


@asynccontextmanager
async def at_the_desk(hotline: Hotline, page: Page, name: str = "desk-01") -> AsyncIterator[None]:
    """The page's agent, ready for calls at a SIP phone."""
    phone = Phone(
        "127.0.0.1", server=hotline.sip, user=name, password=hotline.secrets.phones[name]
    )
    async with phone:
        await phone.register()
        await page.select_option("#phone-kind", "desk")
        await page.select_option("#desk-name", name)
        await page.click("#sign-in")
        await page.click("#ready")
        await expect(page.locator("body")).to_have_attribute("data-agent-state", "ready")
        yield


@asynccontextmanager
async def consoles(hotline: Hotline, count: int) -> AsyncIterator[None]:
    """Open streams of as many other pages."""
    viewer = Console(hotline, "truongca")

    def opened() -> requests.Response:
        return viewer.open_stream()

    async with AsyncExitStack() as stack:
        for _ in range(count):
            stack.callback((await asyncio.to_thread(opened)).close)
        yield


def memory_mib(hotline: Hotline) -> float:
    """What the console's processes hold by themselves, and their part of what they share."""
    group = os.getpgid(hotline.pid_of("console"))
    held = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                found = re.search(r"^Pss:\s+(\d+)", (folder / "smaps_rollup").read_text(), re.M)
                held += int(found[1]) if found else 0
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return held / 1024


@dataclass(frozen=True)
class Rung:
    """ms from the event to the screen of each call; the console's MiB early on and at the end."""

    took_ms: list[float]
    early_mib: float
    late_mib: float


async def rings(hotline: Hotline, page: Page, first: int, calls: int) -> Rung:
    """So many calls, one after another."""
    early = 0.0
    async with ringing_times(hotline) as times:
        numbers = [f"09{first + at:08}" for at in range(calls)]
        for index, number in enumerate(numbers):
            if index == calls // 4:
                early = await asyncio.to_thread(memory_mib, hotline)
            async with citizen(hotline, number) as phone:
                call = await called(phone)
                await until_heard(call, hotline, "greeting_main")
                await call.press("0")
                async with asyncio.timeout(60):
                    while number not in await page.evaluate("window.seen"):
                        await asyncio.sleep(0.2)
                await call.hang_up()
            await asyncio.sleep(1)
        seen = await page.evaluate("window.seen")
    late = await asyncio.to_thread(memory_mib, hotline)
    return Rung([seen[number] - times[number] for number in numbers], early, late)


@dataclass(frozen=True)
class Pop:
    """p50 and p95 in ms, how late the machine itself came to a beat of 20 ms then, and the
    console's memory early on and at the end, in MiB."""

    consoles: int
    p50_ms: float
    p95_ms: float
    beat_p95_ms: float
    early_mib: float
    late_mib: float


def pops(calls: int, many: int) -> list[Pop]:
    """Alone, and with many other consoles; a hotline is started for it. Prints them."""
    with tempfile.TemporaryDirectory(prefix="hl-bench-") as name:
        folder = Path(name)
        with running_hotline(folder / "home", HOTLINE_WRAPUP_S="0") as hotline:
            return asyncio.run(measure(hotline, folder, calls, many))


async def measure(hotline: Hotline, folder: Path, calls: int, many: int) -> list[Pop]:
    found = []
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium(folder))
        page = await signed_in(browser, hotline, "agent1")
        await stack.enter_async_context(at_the_desk(hotline, page))
        await page.evaluate(WATCH)
        click.echo(f"{'':<24}{'p50 ms':>8}{'p95 ms':>8}{'target p95':>12}")
        for index, count in enumerate((0, many)):
            async with consoles(hotline, count):
                late = await beat_ms()
                rung = await rings(hotline, page, 12001000 + index * 1000, calls)
            took = rung.took_ms
            name = f"{count} other consoles" if count else "event to screen, alone"
            click.echo(f"{name:<24}{quantile(took, 0.5):>8.0f}{quantile(took, 0.95):>8.0f}"
                       f"{TARGETS_MS[bool(count)]:>12}")
            click.echo(f"{'  a beat of 20 ms, late':<24}{quantile(late, 0.5):>8.0f}"
                       f"{quantile(late, 0.95):>8.0f}")
            click.echo(f"{'  console, MiB':<24}{rung.early_mib:>8.1f}{rung.late_mib:>8.1f}")
            found.append(Pop(
                count, quantile(took, 0.5), quantile(took, 0.95), quantile(late, 0.95),
                rung.early_mib, rung.late_mib,
            ))
    return found


@click.command()
@click.option("--calls", default=20, show_default=True)
@click.option("--consoles", "many", default=300, show_default=True)
def main(calls: int, many: int) -> None:
    """Print p50 and p95 of the time from AMI event to screen."""
    pops(calls, many)


if __name__ == "__main__":
    main()
