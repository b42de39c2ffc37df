"""Files of cases, as people of the agency see and add them."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from crm.agencies import officers
from crm.cases import attachments
from crm.cases.attachments import Giver, Kept
from crm.cases.models import Case, Identity
from crm.database import Database
from crm.intake import forms
from crm.settings import Settings
from tests.accounts import PASSWORD
from tests.agent_console.conftest import Browser
from tests.agent_console.test_officer_desk import come_in, handed_out, now
from tests.crm.cases.factory import officer, opened
from tests.crm.intake import files


@pytest.fixture
def telephone(app: Flask) -> Browser:
    return Browser(app.test_client())


def uploaded(browser: Browser, path: str, content: bytes, name: str) -> TestResponse:
    return browser.client.post(path, content_type="multipart/form-data", data={
        "csrf_token": browser.token(), "files": [(io.BytesIO(content), name)],
    })


def of_case(database: Database, case: Case) -> list[tuple[str, str, bool]]:
    with database.reading() as session:
        return [(one.name, one.giver, one.for_agency)
                for one in attachments.of_case(session, case)]


def kept_file(settings: Settings, name: str, size: int) -> Kept:
    return attachments.take(settings.home, name, files.picture("PNG", (9, size)))


def test_a_link_leads_to_the_files_that_the_agency_may_see_and_takes_theirs(
    telephone: Browser, sqlite: Database, settings: Settings
) -> None:
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session, identity=Identity.HIDDEN)
        shown, secret = (
            attachments.add(session, case, kept_file(settings, name, size), giver=Giver.CITIZEN,
                            by="citizen", now=now())
            for name, size in (("ngập.png", 10), ("Lê Văn Tám.png", 20))
        )
        attachments.release(session, shown, by="huy", now=now())
    assert telephone.client.get(f"{path}/files/{shown.id}").status_code == 403  # no code shown
    assert uploaded(telephone, f"{path}/files", files.pdf(), "a.pdf").status_code == 403
    page = come_in(telephone, sqlite, path)
    assert re.findall(rf'href="{path}/files/(\d+)"', page) == [str(shown.id)]
    assert "Tám" not in page
    answer = telephone.client.get(f"{path}/files/{shown.id}")
    assert (answer.status_code, answer.mimetype) == (200, "application/octet-stream")
    assert telephone.client.get(f"{path}/files/{secret.id}").status_code == 404
    assert uploaded(telephone, f"{path}/files", files.pdf(), "biên bản.pdf").location == path
    uploaded(telephone, f"{path}/files", files.PROGRAM, "x.pdf")
    assert of_case(sqlite, case)[2:] == [("biên bản.pdf", "officer", True)]
    assert "Không nhận được x.pdf" in telephone.client.get(path).text


def test_the_agency_sees_the_fields_of_a_case_without_who_told_them(
    telephone: Browser, sqlite: Database
) -> None:
    told = {"wrong": "date", "dose": "2", "given_on": "2021-09-15", "lot": "FG3716",
            "clinic": "Trạm y tế, gặp ông Lê Văn Tám 0912 345 678"}
    fields = forms.parse(forms.VACCINE_RECORD, told, now())
    assert fields is not None
    with sqlite.transaction() as session:
        case, _who, path = handed_out(session, identity=Identity.HIDDEN)
        forms.put(session, case, fields, by="lan", now=now())
    page = come_in(telephone, sqlite, path)
    assert "FG3716" in page
    assert "15/09/2021" in page
    assert "0912 345 678" not in page


def test_by_account_files_of_other_agencies_are_not_there(
    telephone: Browser, sqlite: Database, settings: Settings
) -> None:
    with sqlite.transaction() as session:
        case, _who, _path = handed_out(session)
        other = opened(session, now=now())
        mine, others = (
            attachments.add(session, one, kept_file(settings, "a.png", 10), giver=Giver.CITIZEN,
                            by="citizen", now=now())
            for one in (case, other)
        )
        officers.give_account(session, officer(session), "canbo", PASSWORD, now())
    telephone.sign_in("canbo")
    assert telephone.client.get(f"/agency/{case.code}/files/{mine.id}").status_code == 200
    for code in (other.code, case.code):
        path = f"/agency/{code}/files/{others.id}"
        assert telephone.client.get(path).status_code == 404
    assert uploaded(
        telephone, f"/agency/{other.code}/files", files.pdf(), "a.pdf"
    ).status_code == 404
    assert len(of_case(sqlite, other)) == 1
    assert uploaded(
        telephone, f"/agency/{case.code}/files", files.pdf(), "a.pdf"
    ).location == f"/agency/{case.code}"
    assert len(of_case(sqlite, case)) == 2
