"""Somebody who reads a Vietnamese manual beside the screen, and does there what it says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Error, Locator, Page

from agent_console import manuals

NAMED = re.compile(r"\*\*(.+?)\*\*|`((?:Shift\+|Ctrl\+|Alt\+)?(?:F\d+|Enter|Esc|←|[A-Z\d]))`")
WITHIN_MS = 20_000  # what a page shows by itself

# Whether something visible is called so: by its own text, by all of its text, or by its label.
SHOWN = """(name) => {
  const plain = (text) => (text || "").replace(/\\s+/g, " ").trim();
  const is = (text) => {
    const at = plain(text).replace(/^[^\\p{L}\\d]+/u, "");
    return at === name || (at.startsWith(name) && !/^\\s*[\\p{L}]/u.test(at.slice(name.length)));
  };
  if (is(document.title)) return true;
  const closed = [...document.querySelectorAll("main details:not([open])")];
  for (const one of closed) one.open = true;
  try {
    for (const one of document.querySelectorAll("body *")) {
      const seen = one.tagName === "OPTION" ? one.closest("select") : one;
      if (!seen?.checkVisibility()) continue;
      const own = [...one.childNodes].filter((it) => it.nodeType === 3).map((it) => it.data);
      const said = ["aria-label", "placeholder"].map((it) => one.getAttribute(it));
      const parts = own.join(" ").split(/[,;:·()]/);
      if ([own.join(" "), ...own, ...parts, one.innerText, ...said].some(is)) return true;
    }
    return false;
  } finally {
    for (const one of closed) one.open = false;
  }
}"""
UNFOLD = """(one) => {
  let at = one.matches("summary") ? one.parentElement.parentElement : one;  // not what it unfolds
  for (; (at = at.closest("details")); at = at.parentElement) at.open = true;
}"""


class Reading:
    """One chapter at one page: its names in bold and its keys are come by in their order, and none
    is passed over."""

    def __init__(self, page: Page, names: list[str], where: str) -> None:
        self.page = page
        self.within: Page | Locator = page
        self._left = names
        self._where = where

    def _next(self, name: str) -> None:
        found = self._left.pop(0) if self._left else "its end"
        assert found == name, f"{self._where}: the manual goes on with {found!r}, not {name!r}"

    async def _control(self, name: str) -> Locator:
        called = re.compile(rf"^\W*{re.escape(name)}\W*\d*\W*$")
        found = self.within.get_by_role("button", name=called, include_hidden=True)
        found = found.or_(self.within.get_by_role("link", name=called, include_hidden=True))
        return await self._unfolded(
            found.or_(self.within.locator("summary").filter(has_text=called))
        )

    async def _field(self, name: str) -> Locator:
        return await self._unfolded(
            self.within.get_by_label(re.compile(rf"^\s*{re.escape(name)}"))
        )

    async def _unfolded(self, found: Locator) -> Locator:
        """What is folded up is opened, as whoever looks for it does."""
        visible = found.filter(visible=True).first
        if not await visible.count() and await found.count():
            await found.first.evaluate(UNFOLD)
        return visible

    async def _key(self, control: Locator, key: str) -> None:
        self._next(key)
        title = await control.get_attribute("title")
        assert title == key, f"{self._where}: the key is {title}, not {key}"

    async def sees(self, *names: str) -> None:
        """These stand on the page."""
        for name in names:
            self._next(name)
            await self._shown(name)

    async def _shown(self, name: str) -> None:
        try:
            await self.page.wait_for_function(SHOWN, arg=name, timeout=WITHIN_MS)
        except Error as error:
            raise AssertionError(
                f"{self._where}: nothing is called {name!r} at {self.page.url}"
            ) from error

    async def finds(self, name: str, key: str = "") -> Locator:
        """A button or link that is not pressed here."""
        self._next(name)
        control = await self._control(name)
        try:
            await control.wait_for(timeout=WITHIN_MS)
        except Error as error:
            raise AssertionError(
                f"{self._where}: no button or link {name!r} at {self.page.url}"
            ) from error
        if key:
            await self._key(control, key)
        return control

    async def clicks(self, name: str) -> None:
        await (await self.finds(name)).click()

    async def clicks_on(self, name: str, control: Locator) -> None:
        """One of several that show this name, each labelled with what it is for."""
        self._next(name)
        shown = re.sub(r"^\W+", "", await control.inner_text(timeout=WITHIN_MS))
        assert shown == name, f"{self._where}: it is called {shown!r}, not {name!r}"
        await control.click()

    async def does(self, name: str, key: str) -> None:
        """By its key, which the button names, too."""
        await self.finds(name, key)
        await self._press(key)

    def passes(self, name: str, _why: str) -> None:
        """Cannot be brought about here."""
        self._next(name)

    async def presses(self, *keys: str) -> None:
        for key in keys:
            self._next(key)
            await self._press(key)

    async def _press(self, key: str) -> None:
        for written, meant in (("←", "ArrowLeft"), ("Esc", "Escape"), ("Ctrl", "Control")):
            key = key.replace(written, meant)
        await self.page.keyboard.press(key)

    async def fills(self, name: str, value: str) -> None:
        self._next(name)
        await self._fill(name, value)

    async def _fill(self, name: str, value: str) -> None:
        try:
            await (await self._field(name)).fill(value, timeout=WITHIN_MS)
        except Error as error:
            raise AssertionError(
                f"{self._where}: no field {name!r} at {self.page.url}"
            ) from error

    async def chooses(self, name: str, option: str = "") -> None:
        """In a list; without an option the first that stands for something."""
        self._next(name)
        field = await self._field(name)
        try:
            if option:
                await field.select_option(label=option, timeout=WITHIN_MS)
            else:
                await field.select_option(index=1, timeout=WITHIN_MS)
        except Error as error:
            raise AssertionError(
                f"{self._where}: no list {name!r} with {option!r} at {self.page.url}"
            ) from error


class Reader:
    """Goes through a manual chapter by chapter."""

    def __init__(self, name: str) -> None:
        self._name = name
        text = manuals.BY_NAME[name].file.read_text(encoding="utf-8")
        self._chapters: dict[str, list[str]] = {}
        for part in re.split(r"^## ", text, flags=re.M)[1:]:
            title, _, rest = part.partition("\n")
            self._chapters[title] = [
                bold or key for bold, key in NAMED.findall(re.sub(r"\s+", " ", rest))
            ]

    @asynccontextmanager
    async def chapter(self, title: str, page: Page, path: str = "") -> AsyncIterator[Reading]:
        names = self._chapters.pop(title)
        reading = Reading(page, names, f"{self._name}, {title}")
        if path:
            await page.goto(path)
        yield reading
        assert not names, f"{self._name}, {title}: nobody did {names}"

    def has_read_all(self) -> None:
        left = [title for title, names in self._chapters.items() if names]
        assert not left, f"{self._name}: nobody read {left}"
