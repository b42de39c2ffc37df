"""The pages of shifts: roster, swaps, handovers, urgent instructions."""

from __future__ import annotations

import io
import math
import re
from datetime import UTC, datetime, timedelta

import pypdfium2  # type: ignore[import-untyped]
from flask import Flask
from sqlalchemy import select

from agent_console.app import feed_of
from agent_console.feed import Feed
from crm import users
from crm.clock import VIETNAM
from crm.database import Database
from crm.imports import files
from crm.models import Role, User
from crm.shifts import roster
from crm.shifts.models import Handover, Instruction, Shift, Swap
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call, put_listener, put_live_agent

TOMORROW = (datetime.now(VIETNAM) + timedelta(days=1)).date()


def table(*rows: tuple[str, str, str, str]) -> io.BytesIO:
    named = [
        dict(zip(roster.COLUMNS, (login, TOMORROW.isoformat(), begins, ends, branch), strict=True))
        for login, begins, ends, branch in rows
    ]
    return io.BytesIO(files.as_csv(named, roster.COLUMNS))


def a_shift(database: Database, login: str, begins_at: datetime, hours: float = 8) -> int:
    with database.transaction() as session:
        user = session.scalars(select(User).where(User.login == login)).one()
        made = Shift(user_id=user.id, begins_at=begins_at, branch="vaccine",
                     ends_at=begins_at + timedelta(hours=hours))
        session.add(made)
        session.flush()
        return made.id


def another_lead(app: Flask, database: Database) -> Browser:
    with database.transaction() as session:
        users.create_user(session, login="ha", name="Hà", role=Role.LEAD, password=PASSWORD,
                          now=datetime.now(UTC))
    browser = Browser(app.test_client())
    browser.sign_in("ha")
    return browser


def test_a_roster_is_checked_then_taken_in_and_comes_out_as_it_went_in(
    supervisor: Browser, sqlite: Database
) -> None:
    good = ("lan", "06:00", "14:00", "vaccine"), ("minh", "22:00", "06:00", "")
    bad = supervisor.submit(
        "/shifts/import", act="take", file=(table(*good, ("hai", "6", "7", "moon")), "ca.csv")
    )
    assert bad.status_code == 400
    told = re.findall(r"<li>(Dòng 4: [^<]+)</li>", bad.get_data(as_text=True))
    assert len(told) == 4  # every fault of the row
    checked = supervisor.submit("/shifts/import", act="check", file=(table(*good), "ca.csv"))
    assert checked.status_code == 302
    with sqlite.reading() as session:
        assert session.scalar(select(Shift)) is None
    supervisor.submit("/shifts/import", act="take", file=(table(*good), "ca.csv"))
    week = f"?week={TOMORROW.isoformat()}"
    page = supervisor.client.get(f"/shifts{week}").get_data(as_text=True)
    assert "06:00–14:00" in page
    assert "22:00–06:00" in page
    assert supervisor.client.get(f"/shifts/roster.csv{week}").data == table(*good).getvalue()
    assert supervisor.submit("/shifts/import", act="sing", file=(table(), "x")).status_code == 400
    assert supervisor.client.get("/shifts?week=x").status_code == 400


def test_a_swap_from_desk_to_desk_and_to_the_lead(
    agent: Browser, app: Flask, supervisor: Browser, sqlite: Database
) -> None:
    mine = a_shift(sqlite, "lan", datetime.now(UTC) + timedelta(days=1))
    assert "Đổi ca" not in agent.client.get("/shifts/mine").get_data(as_text=True)
    agent.submit(f"/shifts/{mine}/offer")
    with sqlite.reading() as session:
        swap = session.scalars(select(Swap.id)).one()
    minh = Browser(app.test_client())
    minh.sign_in("minh")
    assert f'data-swap="{swap}"' in minh.client.get("/shifts/mine").get_data(as_text=True)
    assert minh.submit(f"/shifts/swaps/{swap}/take").status_code == 302
    again = agent.submit(f"/shifts/swaps/{swap}/take")
    assert again.status_code == 409
    assert "tự nhường" in again.get_data(as_text=True)
    assert f'data-swap="{swap}"' in supervisor.client.get("/shifts").get_data(as_text=True)
    assert agent.submit(f"/shifts/swaps/{swap}/decide", decision="approve").status_code == 403
    supervisor.submit(f"/shifts/swaps/{swap}/decide", decision="approve")
    assert f'data-shift="{mine}"' in minh.client.get("/shifts/mine").get_data(as_text=True)
    assert f'data-shift="{mine}"' not in agent.client.get("/shifts/mine").get_data(as_text=True)
    assert minh.submit(f"/shifts/swaps/{swap}/take").status_code == 409


def test_an_agents_desk_names_the_next_shift(agent: Browser, sqlite: Database) -> None:
    assert 'id="next-shift"' not in agent.client.get("/agent").get_data(as_text=True)
    a_shift(sqlite, "lan", datetime(2090, 1, 1, tzinfo=UTC))
    assert 'id="next-shift"' not in agent.client.get("/agent").get_data(as_text=True)
    a_shift(sqlite, "lan", datetime.now(UTC) + timedelta(days=1))
    assert 'id="next-shift"' in agent.client.get("/agent").get_data(as_text=True)


def test_a_shift_is_handed_over_by_two_sessions_and_printed(
    supervisor: Browser, app: Flask, sqlite: Database, admin: Browser
) -> None:
    ha = another_lead(app, sqlite)
    add_call(sqlite, caller="0912345672", emergency=True, unreached=True, outcome="lost")
    assert admin.submit("/handovers").status_code == 403
    page = supervisor.client.get("/handovers").get_data(as_text=True)
    assert "0912345672" not in page
    signed = supervisor.submit("/handovers", remarks="Đường dây số 2 nhiễu")
    with sqlite.reading() as session:
        id_ = session.scalars(select(Handover.id)).one()
    assert signed.location == f"/handovers/{id_}"
    add_call(sqlite, caller="0912345673", emergency=True, unreached=True, outcome="lost")
    assert supervisor.submit(f"/handovers/{id_}/take").status_code == 409
    second = ha.submit("/handovers", remarks="không được mất")
    assert second.status_code == 409
    assert "không được mất" in second.get_data(as_text=True)  # nothing typed is lost
    seen = ha.client.get(f"/handovers/{id_}").get_data(as_text=True)
    assert "Đường dây số 2 nhiễu" in seen
    assert ha.submit(f"/handovers/{id_}/take", answer="Đã nắm").status_code == 302
    with sqlite.reading() as session:
        kept = session.get_one(Handover, id_)
        assert (kept.outgoing, kept.incoming) == ("huy", "ha")
        assert kept.snapshot["sections"]["emergencies"]["total"] == 1  # as it stood
    document = pypdfium2.PdfDocument(ha.client.get(f"/handovers/{id_}.pdf").data)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    assert "Đường dây số 2 nhiễu" in text
    assert "huy" in text
    assert "ha" in text
    assert ha.client.get("/handovers/77").status_code == 404
    assert supervisor.submit(f"/handovers/{id_}/withdraw").status_code == 409


def test_an_instruction_is_written_read_and_changed(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    short = supervisor.submit("/instructions", text="abc", hours=4)
    assert short.status_code == 400
    assert ">abc</textarea>" in short.get_data(as_text=True)
    supervisor.submit("/instructions", text="Bão số 9: chuyển 112", hours=4)
    with sqlite.reading() as session:
        id_ = session.scalars(select(Instruction.id)).one()
    assert agent.submit("/instructions", text="Bão số 9", hours=4).status_code == 403
    assert agent.ask("POST", f"/instructions/{id_}/read").status_code == 200
    assert agent.ask("POST", f"/instructions/{id_}/read").status_code == 200
    page = supervisor.client.get("/instructions").get_data(as_text=True)
    assert "1 / 2" in page
    supervisor.submit("/instructions", text="Bão số 9: chuyển 114", hours=4, instead=id_)
    stale = agent.ask("POST", f"/instructions/{id_}/read")
    assert stale.status_code == 409
    assert supervisor.submit(f"/instructions/{id_}/end").status_code == 409
    assert supervisor.submit(f"/instructions/{id_ + 1}/end").status_code == 302


def look(feed: Feed) -> None:
    """Read everything anew; these pages have no session that could end."""
    feed._due = dict.fromkeys(feed._due, 0.0) | {"sessions": math.inf}
    feed.refresh()


def test_the_feed_tells_each_desk_what_concerns_it(
    app: Flask, supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    put_listener(sqlite, 1)
    feed: Feed = feed_of(app)
    look(feed)
    lan = feed.subscribe(frozenset({"all", "agent:lan"}), "x")
    huy = feed.subscribe(None, "y")
    for page in (lan, huy):
        page.messages.get_nowait()
    supervisor.submit("/instructions", text="Bão số 9: chuyển 112", hours=4)
    a_shift(sqlite, "minh", datetime.now(UTC) - timedelta(hours=1))
    look(feed)
    with sqlite.reading() as session:
        id_ = session.scalars(select(Instruction.id)).one()
    told = lan.messages.get_nowait()
    assert told is not None
    assert f'"instruction:{id_}"' in told
    assert '"missing"' not in told  # of others
    assert '"login":"minh"' in (huy.messages.get_nowait() or "")
    agent.ask("POST", f"/instructions/{id_}/read")
    put_live_agent(sqlite, 3, "minh")
    look(feed)
    assert f'"read:lan":{{"ids":[{id_}]}}' in (lan.messages.get_nowait() or "")
    seen = "".join(huy.messages.get_nowait() or "" for _ in range(huy.messages.qsize()))
    assert '"read:lan"' in seen
    assert '"missing":{"people":[]}' in seen
