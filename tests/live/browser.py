"""An agent or supervisor in a real browser."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, async_playwright, expect

from ivr.phone.audio import tone, write_wav
from tests.live.running import Hotline

log = logging.getLogger(__name__)

PATIENCE_MS = 60_000  # a busy machine is slow, not wrong
AGENT_HZ = 700  # what the agent's microphone hears

# The strongest tone of what the page plays, in Hz: 0 while there is silence.
LISTEN = """async (ms) => {
  const audio = document.querySelector('#remote');
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  context.createMediaStreamSource(audio.srcObject).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  const heard = [];
  const end = Date.now() + ms;
  while (Date.now() < end) {
    await new Promise(done => setTimeout(done, 100));
    analyser.getFloatFrequencyData(bins);
    const best = bins.indexOf(Math.max(...bins));
    heard.push(bins[best] > -60 ? best * context.sampleRate / analyser.fftSize : 0);
  }
  await context.close();
  return heard;
}"""


# The page's peer connections, and on which ports their sound may come and go: where one is shut,
# another is taken.
CONNECTIONS = """
  window.connections = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...words) { super(...words); window.connections.push(this); }
  };
"""
SOUND_PORTS = """async () => {
  const all = [...(await window.connections.at(-1).getStats()).values()];
  return all.filter((one) => one.type === "local-candidate").map((one) => one.port);
}"""


@asynccontextmanager
async def chromium(folder: Path, hz: float = AGENT_HZ) -> AsyncIterator[Browser]:
    """A headless browser whose microphone hears a tone."""
    microphone = folder / f"microphone-{hz:g}.wav"
    write_wav(microphone, tone(hz, 2.0))
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    assert program, "no Chromium here: ./scripts/test installs one"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[
            "--no-sandbox", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run", "--disable-quic",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}",
            "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
        ])
        try:
            yield browser
        finally:
            await browser.close()


async def signed_in(browser: Browser, hotline: Hotline, login: str) -> Page:
    """A page of a person who has just signed in to the console."""
    context = await browser.new_context(
        base_url=hotline.url, permissions=["microphone"],
        ignore_https_errors=True,  # the local authority is not trusted by this machine
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    await page.goto("/login")
    await page.fill("[name=login]", login)
    await page.fill("[name=password]", hotline.password(login))
    await page.click("button.primary")
    await page.wait_for_url(lambda url: "/login" not in url)
    if "/takeover" in page.url:  # a page of an earlier test was left without signing out
        await page.click("button.primary")
        await page.wait_for_url(lambda url: "/takeover" not in url)
    return page


async def take_calls(page: Page) -> None:
    """Sign in to the queues with the browser's phone and get ready."""
    await page.click("#sign-in")
    await expect(page.locator("body")).to_have_attribute("data-registration", "registered")
    await expect(page.locator("body")).to_have_attribute("data-agent-state", "paused")
    await page.click("#ready")
    await expect(page.locator("body")).to_have_attribute("data-agent-state", "ready")


async def heard_by_page(page: Page, hz: float) -> bool:
    """Whether the page plays a tone, within 5 % of `hz`, at some time in half a minute."""
    for _ in range(12):
        heard = np.array(await page.evaluate(LISTEN, 2500))
        if np.sum(np.abs(heard - hz) < 0.05 * hz) >= 3:
            return True
        log.warning("the page played %s Hz", np.round(heard).tolist())
    return False


async def watched(browser: Browser, hotline: Hotline, login: str) -> Page:
    """A page of which sound_ports can be asked."""
    page = await signed_in(browser, hotline, login)
    await page.add_init_script(CONNECTIONS)
    await page.reload()
    return page


async def sound_ports(page: Page) -> str:
    """Where the sound of the page's call may come and go, as nftables writes it."""
    ports = await page.evaluate(SOUND_PORTS)
    assert ports
    return f"{{ {', '.join(sorted(set(map(str, ports))))} }}"


@contextmanager
def network(name: str, *rules: str) -> Iterator[None]:
    """Rules of nftables for what a test alone has to do with; what they drop is counted. Needs
    root."""
    table = f"hotline_test_{name}_{os.getpid()}"
    chain = "; ".join(f"{rule} counter drop" for rule in rules)
    hook = "type filter hook input priority -10"
    _nft(f"table inet {table} {{ chain input {{ {hook}; {chain}; }}; }}")
    try:
        yield
        counted = _nft(f"list table inet {table}")
        assert "packets 0 " not in counted, f"nothing was dropped: {counted}"
    finally:
        _nft(f"delete table inet {table}")


def _nft(words: str) -> str:
    done = subprocess.run(["nft", words], text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout
