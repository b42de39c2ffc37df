"""The whole way of what a citizen asked for: the call, the case, the agency by its area, its
officer by a link, the extension, the leader's approval, the messages, and the citizen who hears of
it by key 7 and says whether it is well done. On PostgreSQL, with a gateway for SMS that is none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from crm.cases import life
from crm.cases.models import Case
from crm.models import LiveCall
from tests.crm.notices.stand_ins import HttpStandIn
from tests.crm.notices.stand_ins import running as serving
from tests.live.people import Console, called, citizen, desk_agent, until_heard
from tests.live.running import PATIENCE_S, Hotline, running_hotline, wait_for
from tests.live.test_lookup import asks, sound_of, types
from tests.postgres import running_postgres

CITIZEN, OFFICER, LEADER = "0912000801", "0987000801", "0987000802"
COMMITTEE = "UB14758"  # of Phường Hàm Rồng
ANSWER = "Phường đã dọn bãi rác ở đầu cầu ngày 20 tháng 11."


class Gateway(HttpStandIn):
    """Keeps what telephones would have got."""

    def to(self, number: str) -> list[str]:
        got = [one.json for one in self.requests]
        return [one["text"] for one in got if one["to"].endswith(number[1:])]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with serving(Gateway()) as server:
        yield server


@pytest.fixture(scope="module")
def hotline(
    tmp_path_factory: pytest.TempPathFactory, gateway: Gateway
) -> Iterator[Hotline]:
    folder = tmp_path_factory.mktemp("way")
    with (
        running_postgres() as url,
        running_hotline(
            folder / "home", HOTLINE_DATABASE_URL=url, HOTLINE_SMS_PROVIDER="gateway",
            HOTLINE_SMS_GATEWAY_URL=f"{gateway.url}/send", HOTLINE_SMS_SENDER="TD 1022",
            HOTLINE_SMS_GATEWAY_BODY='{"to": "{to}", "text": "{text}"}',
            HOTLINE_QUIET_HOURS="off",
        ) as running,
    ):
        yield running


class Officer:
    """Somebody of the agency with a telephone that shows SMS and opens links."""

    def __init__(self, gateway: Gateway, number: str) -> None:
        self._gateway, self._number = gateway, number
        self._http = requests.Session()
        self.link = ""

    def opens(self, said: str) -> str:
        """The link of the SMS that says this, and the code that comes on asking; the case."""
        sms = wait_for(lambda: next(
            (text for text in self._gateway.to(self._number) if said in text), ""
        ), f"an SMS that says {said}")
        self.link = re.findall(r"https?://\S+", sms)[0]
        door = self._http.get(self.link, timeout=PATIENCE_S)
        before = len(self._gateway.to(self._number))
        self._send("/code", door.text)
        sms = wait_for(
            lambda: self._gateway.to(self._number)[before:], "an SMS with the code"
        )[-1]
        return self._send("/enter", door.text, code=re.findall(r"Ma xac nhan (\d{6})", sms)[0])

    def does(self, act: str, **form: str) -> str:
        page = self._http.get(self.link, timeout=PATIENCE_S).text
        seen = re.findall(r'name="seen" value="(\d+)"', page)[0]
        return self._send("", page, act=act, seen=seen, **form)

    def _send(self, path: str, page: str, **form: str) -> str:
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
        answer = self._http.post(
            self.link + path, data={"csrf_token": token, **form}, timeout=PATIENCE_S
        )
        answer.raise_for_status()
        return answer.text


def the_case(hotline: Hotline) -> Case:
    with hotline.database.reading() as session:
        (case,) = life.latest(session, 5)
        return case


def live_call(hotline: Hotline) -> str:
    with hotline.database.reading() as session:
        return session.scalar(select(LiveCall.id).where(LiveCall.caller == CITIZEN)) or ""


async def tells_an_agent(hotline: Hotline) -> None:
    """The citizen rings, an agent at a desk phone answers and writes it down."""
    agent = await asyncio.to_thread(Console, hotline, "agent1")
    async with (
        desk_agent(hotline, "agent1", console=agent) as desk, citizen(hotline, CITIZEN) as phone,
    ):
        call = await called(phone)
        await until_heard(call, hotline, "greeting_main")
        await call.press("0")
        rung = await desk.incoming(PATIENCE_S)
        rung.answer()
        live = await asyncio.to_thread(wait_for, lambda: live_call(hotline), "the call")
        page = await asyncio.to_thread(
            agent.submit, "/cases", call=live, phone=CITIZEN, identity="shown",
            summary="Bãi rác tự phát ở đầu cầu", category="environment", place="Hàm Rồng",
        )
        assert "Bãi rác tự phát" in page
        await call.hang_up()


async def hears_and_judges(hotline: Hotline, code: str) -> None:
    """The citizen rings again, hears the result by key 7, and is content."""
    answer = await asyncio.to_thread(sound_of, hotline, ANSWER)
    async with citizen(hotline, CITIZEN) as phone:
        call = await called(phone)
        await asks(call, hotline)
        await until_heard(call, hotline, "lookup_recent.2")
        await types(call, code[-4:])
        await until_heard(call, hotline, "status_resolved.1")
        await until_heard(call, hotline, "lookup_answer")
        await call.press("1")
        await until_heard(call, hotline, answer)
        await until_heard(call, hotline, "survey_case")
        await call.press("1")
        await until_heard(call, hotline, "survey_thanks")
        await call.hang_up()


def test_from_the_call_to_the_closed_case(
    hotline: Hotline, gateway: Gateway, tmp_path: Path
) -> None:
    assert hotline.run("agency", "import").returncode == 0
    assert hotline.run("route", "import").returncode == 0
    people = tmp_path / "people.csv"
    people.write_text(
        "agency,name,post,phone,email,valid_from,valid_to\n"
        f"{COMMITTEE},Lê An,officer,{OFFICER},,,\n{COMMITTEE},Trần Hoa,leader,{LEADER},,,\n",
        encoding="utf-8",
    )
    done = hotline.run("import", "officers", str(people))
    assert done.returncode == 0, done.stderr
    admin, head = Console(hotline, "admin"), Console(hotline, "truongca")
    admin.submit(f"/agencies/{COMMITTEE}/approves", approves="yes")

    asyncio.run(tells_an_agent(hotline))
    case = the_case(hotline)
    code = case.code
    page = head.page(f"/cases/{code}")
    assert re.search(rf'value="{COMMITTEE}" selected', page)  # by its area
    seen = re.findall(r'name="seen" value="(\d+)"', page)[0]
    head.submit(f"/cases/{code}/assign", agency=COMMITTEE, seen=seen)
    wait_for(lambda: any("da chuyen" in text for text in gateway.to(CITIZEN)), "the citizen's SMS")

    officer, leader = Officer(gateway, OFFICER), Officer(gateway, LEADER)
    assert "Bãi rác tự phát" in officer.opens("Xem va xu ly")
    officer.does("accept")
    later = case.due_at.date() + timedelta(days=4)
    officer.does("extend", due=f"{later}", reason="chờ xe")
    wait_for(
        lambda: any(f"gia han den {later:%d/%m/%Y}" in text for text in gateway.to(CITIZEN)),
        "the SMS of the extension",
    )
    officer.does("answer", answer=ANSWER)
    assert the_case(hotline).status == "extended"  # it waits for the leader
    assert ANSWER in leader.opens("cho phe duyet")
    leader.does("approve")
    assert the_case(hotline).status == "resolved"
    wait_for(lambda: any("da co ket qua" in text for text in gateway.to(CITIZEN)), "the last SMS")
    assert requests.get(officer.link, timeout=PATIENCE_S).status_code == 410

    asyncio.run(hears_and_judges(hotline, code))
    wait_for(lambda: the_case(hotline).status == "closed", "the case is closed")
    case = the_case(hotline)
    assert case.satisfaction == 1
    assert case.resolved_at is not None
    assert date(2026, 1, 1) < case.resolved_at.date() <= datetime.now(UTC).date()
    shown = hotline.json("case", "show", code)
    assert [one["after"] for one in shown["events"] if one["what"] == "moved"] == [
        "assigned", "in_progress", "extended", "resolved", "closed"
    ]
    assert hotline.run("case", "verify").returncode == 0
    assert not any("rác" in text or "rac" in text for text in gateway.to(CITIZEN))
