"""A case's files, fields, origin and public result at the desk."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import TestResponse

from crm.agencies import register
from crm.cases import attachments, life
from crm.cases.attachments import Giver
from crm.cases.models import Case
from crm.clock import VIETNAM
from crm.database import Database
from crm.intake import arrivals, forms
from crm.settings import Settings
from tests.agent_console.conftest import Browser
from tests.agent_console.test_case_desk import opened, text_of, the_case
from tests.crm.intake import files


def uploaded(browser: Browser, code: str, *given: tuple[bytes, str]) -> TestResponse:
    return browser.client.post(
        f"/cases/{code}/files", content_type="multipart/form-data", follow_redirects=True, data={
            "csrf_token": browser.token(),
            "files": [(io.BytesIO(content), name) for content, name in given],
        },
    )


def test_an_agent_adds_a_file_and_gets_it_back_as_a_download(
    agent: Browser, sqlite: Database
) -> None:
    opened(agent)
    code = the_case(sqlite).code
    paper = files.pdf()
    page = uploaded(agent, code, (paper, "Đơn của dân.pdf"), (files.PROGRAM, "x.pdf"))
    assert "Không nhận được x.pdf" in text_of(page)  # and the other is there
    link = re.search(rf"/cases/{code}/files/\d+", text_of(page))
    assert link
    answer = agent.client.get(link[0])
    assert answer.data == paper
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "UTF-8''%C4%90%C6%A1n" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    opened(agent, summary="Việc khác")
    with sqlite.reading() as session:
        other = life.latest(session, 1)[0].code
    number = link[0].rpartition("/")[2]
    assert agent.client.get(f"/cases/{other}/files/{number}").status_code == 404


def test_supervisors_let_the_agency_see_a_file_of_somebody_hidden(
    agent: Browser, supervisor: Browser, sqlite: Database, settings: Settings
) -> None:
    opened(agent, identity="hidden")
    case = the_case(sqlite)
    kept = attachments.take(settings.home, "a.jpg", files.picture())
    with sqlite.transaction() as session:
        row = attachments.add(
            session, session.get_one(Case, case.id), kept, giver=Giver.CITIZEN, by="citizen",
            now=datetime.now(UTC),
        )
    address = f"/cases/{case.code}/files/{row.id}/release"
    assert "cơ quan chưa xem được" in text_of(agent.client.get(f"/cases/{case.code}"))
    assert agent.submit(address).status_code == 403
    supervisor.submit(address)
    assert "cơ quan chưa xem được" not in text_of(agent.client.get(f"/cases/{case.code}"))


def test_a_letter_counts_from_the_day_on_which_it_came(agent: Browser, sqlite: Database) -> None:
    came = (datetime.now(VIETNAM) - timedelta(days=3)).replace(second=0, microsecond=0)
    letter = {"channel": "letter", "reference": "123/CV-UBND",
              "received": came.strftime("%Y-%m-%dT%H:%M"), "category": "other"}
    assert opened(agent, **letter).status_code == 302
    case = the_case(sqlite)
    assert (case.channel, case.opened_at) == ("letter", came)
    assert case.due_at.astimezone(VIETNAM).date() >= came.date() + timedelta(days=17)
    assert case.due_at < datetime.now(UTC) + timedelta(days=17)
    assert case.dispatch_due_at > datetime.now(UTC)  # it could not be sent on before
    page = text_of(agent.client.get(f"/cases/{case.code}"))
    assert "Thư, công văn · 123/CV-UBND" in page
    again = opened(agent, **letter | {"reference": "123/cv-ubnd"})
    assert "Đã có phản ánh mang số hiệu này" in text_of(again)
    the_case(sqlite)  # is still the only one


@pytest.mark.parametrize("received", ["2090-01-01T00:00", "2001-01-01T00:00", "hôm qua"])
def test_a_case_is_received_before_now(agent: Browser, sqlite: Database, received: str) -> None:
    answer = opened(agent, channel="letter", received=received)
    assert "Thời điểm nhận phải trước lúc này" in text_of(answer)
    assert opened(agent, channel="pigeon").status_code == 400


def test_fake_news_is_referred_and_its_screenshot_has_a_hash(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
    opened(agent, category="fake_news")
    code = the_case(sqlite).code
    shot = files.picture("PNG")
    page = text_of(uploaded(agent, code, (shot, "chụp.png")))
    assert hashlib.sha256(shot).hexdigest() in page  # of what came, not of what was cleaned
    bad = agent.client.post(f"/cases/{code}/details", follow_redirects=True, data={
        "csrf_token": agent.token(), "platform": "nowhere"})
    assert "Hãy chọn nơi tin được lan truyền" in text_of(bad)
    agent.submit(f"/cases/{code}/details", platform="tiktok", links="https://tiktok.com/@x/1")
    page = text_of(agent.client.get(f"/cases/{code}"))
    assert "https://tiktok.com/@x/1" in page
    assert 'href="https://tiktok.com' not in page  # nobody opens it by a click
    assert agent.submit(f"/cases/{code}/referral", agency="CAT").status_code == 403
    supervisor.submit(f"/cases/{code}/referral", agency="SVHTTDL", number="45/TB-1022")
    with sqlite.reading() as session:
        last = life.events_of(session, the_case(sqlite))[-1]
    assert last.what == "referred"
    assert last.note.endswith("45/TB-1022")


def test_the_script_for_vaccination_records_leads_to_the_page_of_its_owner(
    agent: Browser, sqlite: Database
) -> None:
    opened(agent, category="vaccine_record")
    code = the_case(sqlite).code
    page = text_of(agent.client.get(f"/cases/{code}"))
    assert "ngành y tế sửa dữ liệu" in page
    agent.submit(f"/cases/{code}/details", wrong="date", dose="1", given_on="2021-09-01")
    with sqlite.reading() as session:
        kept = forms.as_form(forms.of(session, the_case(sqlite)))
    assert (kept["wrong"], kept["given_on"]) == ("date", "2021-09-01")


def test_what_an_agent_pastes_is_kept_in_one_form(agent: Browser, sqlite: Database) -> None:
    opened(agent, summary=unicodedata.normalize("NFD", "Nhà hết\x07 gạo\u200b"))
    assert the_case(sqlite).summary == "Nhà hết gạo"


def test_a_call_is_no_letter(agent: Browser, sqlite: Database) -> None:
    opened(agent, call="th1.b1-1795383584.7", channel="letter", reference="1", received="")
    case = the_case(sqlite)
    assert case.channel == "call"
    with sqlite.reading() as session:
        assert arrivals.of_case(session, case) == []
