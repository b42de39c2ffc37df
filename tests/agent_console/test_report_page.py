"""Citizens' pages: a case is written, looked up, and its result read; nothing is lost, nothing is
made twice."""

from __future__ import annotations

import io
import re
import unicodedata
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from agent_console.api import limits
from agent_console.app import create_app, feed_of
from crm import settings as settings_room
from crm.cases import attachments, dispatch, life
from crm.cases.models import Case, Identity, Status
from crm.database import Database
from crm.intake import arrivals, forms, results, web
from crm.intake.forms import FakeNews, Platform, VaccineRecord, Wrong
from tests.agent_console.conftest import SECRETS, Browser, ObedientPhones
from tests.crm.cases import factory
from tests.crm.cases.factory import NOW
from tests.crm.intake import files


@pytest.fixture
def citizen(app: Flask) -> Browser:
    return Browser(app.test_client())


def token(client: FlaskClient, path: str = "/report") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def sent(browser: Browser, **told: object) -> TestResponse:
    """A report as the page sends it; `told` replaces fields of it."""
    known: dict[str, object] = {
        "key": "a-key-of-this-page-1", "summary": "Đường ngập một mét", "category": "roads",
        "identity": "shown", "phone": "0912 345 678", "consent": web.CONSENT,
        "csrf_token": token(browser.client),
    }
    return browser.client.post(
        "/report", data=known | told, content_type="multipart/form-data"
    )


def all_cases(database: Database) -> list[Case]:
    with database.reading() as session:
        return life.latest(session, 20)


def test_a_citizen_sends_a_report_and_gets_its_code(citizen: Browser, sqlite: Database) -> None:
    answer = sent(citizen, place="Hàm Rồng", spot="cạnh trường học", public="yes",
                  files=[(io.BytesIO(files.picture()), "ảnh ngập.jpg")])
    assert answer.location == "/report/done"
    (case,) = all_cases(sqlite)
    page = citizen.client.get("/report/done").text
    assert f"{case.code[:4]} {case.code[4:]}" in page
    assert (case.channel, case.status, case.category) == ("web", "classified", "roads")
    assert (case.area, case.phone, case.public) == ("14758", "0912345678", True)
    assert case.summary == "Đường ngập một mét\nĐịa điểm: cạnh trường học"
    with sqlite.reading() as session:
        assert [one.name for one in attachments.of_case(session, case)] == ["ảnh ngập.jpg"]
        (arrival,) = arrivals.of_case(session, case)
        assert (arrival.source, arrival.consent) == ("web", web.CONSENT)
    stranger = Browser(citizen.client.application.test_client())
    assert stranger.client.get("/report/done").location == "/report"  # the code is not theirs


def test_a_page_that_is_sent_twice_makes_one_case(citizen: Browser, sqlite: Database) -> None:
    for _ in range(2):
        assert sent(citizen).location == "/report/done"
    (case,) = all_cases(sqlite)
    assert case.code[4:] in citizen.client.get("/report/done").text
    sent(citizen, summary="Một việc khác")  # went back and wrote of something else
    assert len(all_cases(sqlite)) == 2


def test_a_post_without_the_pages_token_is_refused(citizen: Browser, sqlite: Database) -> None:
    answer = citizen.client.post("/report", data={"summary": "x", "key": "a" * 20})
    assert answer.status_code == 400
    assert all_cases(sqlite) == []


@pytest.mark.parametrize(("told", "sentence"), [
    ({"summary": " \u200b "}, "Hãy ghi nội dung phản ánh"),
    ({"summary": "a" * 8001}, "Nội dung quá dài"),
    ({"phone": "12345"}, "10 hoặc 11 chữ số"), ({"phone": "không có"}, "10 hoặc 11 chữ số"),
    ({"phone": "115"}, "10 hoặc 11 chữ số"),
    ({"identity": "anonymous"}, "Phản ánh ẩn danh không lưu số"),
    ({"consent": ""}, "Nếu quý vị không đồng ý"), ({"consent": "2020"}, "Nếu quý vị không đồng ý"),
    ({"place": "Nơi Nào Đó"}, "Không có xã, phường nào tên như vậy"),
    ({"place": "phường đông thọ"}, "hãy chọn"),
    ({"category": "danger"}, "Hãy chọn lĩnh vực"),
    ({"homepage": "http://spam.example"}, "không hiển thị"),
    ({"key": ""}, "hết hạn"),
])
def test_what_is_wrong_is_said_and_what_was_written_stays(
    citizen: Browser, sqlite: Database, told: dict[str, str], sentence: str
) -> None:
    answer = sent(citizen, spot="Ngõ 5", **told)
    assert answer.status_code == 400
    assert sentence.lower() in answer.text.lower()
    assert 'value="Ngõ 5"' in answer.text
    assert all_cases(sqlite) == []


def test_a_file_that_came_with_a_fault_need_not_be_added_again(
    citizen: Browser, sqlite: Database
) -> None:
    refused = sent(citizen, summary="", files=[
        (io.BytesIO(files.picture()), "a.jpg"), (io.BytesIO(files.PROGRAM), "anh.jpg"),
    ])
    assert "anh.jpg" in refused.text
    (kept,) = re.findall(r'name="kept" value="([^"]+)"', refused.text)
    sent(citizen, kept=[kept, "forged.token"])
    (case,) = all_cases(sqlite)
    with sqlite.reading() as session:
        assert [one.name for one in attachments.of_case(session, case)] == ["a.jpg"]


def test_bad_files_and_endless_texts_are_refused(citizen: Browser, sqlite: Database) -> None:
    bomb = sent(citizen, files=[(io.BytesIO(files.bomb()), "a.docx")])
    assert "lớn hơn nhiều" in bomb.text
    many = sent(citizen, files=[
        (io.BytesIO(files.picture("PNG", (9, 9 + n))), f"{n}.png") for n in range(6)
    ])
    assert "nhiều nhất 5 tệp" in many.text.lower()
    assert sent(citizen, summary="ạ" * 500_000).status_code == 413  # a megabyte
    assert all_cases(sqlite) == []


def test_decomposed_letters_are_kept_composed(citizen: Browser, sqlite: Database) -> None:
    sent(citizen, summary=unicodedata.normalize("NFD", "Đường hỏng\u202e nặng"),
         phone="+84 912.345.678")
    (case,) = all_cases(sqlite)
    assert (case.summary, case.phone) == ("Đường hỏng nặng", "0912345678")


def test_a_hidden_identity_is_never_public(citizen: Browser, sqlite: Database) -> None:
    sent(citizen, identity="hidden", public="yes")
    (case,) = all_cases(sqlite)
    assert (case.identity, case.public) == (Identity.HIDDEN, False)


def test_fake_news_names_where_it_stands(citizen: Browser, sqlite: Database) -> None:
    page = citizen.client.get("/report?about=fake_news").text
    assert 'name="links"' in page
    empty = sent(citizen, category="fake_news", platform="zalo", links="")
    assert "bắt đầu bằng http" in empty.text
    assert 'name="links"' in empty.text
    bad = sent(citizen, category="fake_news", platform="zalo", links="javascript:alert(1)")
    assert bad.status_code == 400
    sent(citizen, category="fake_news", platform="facebook",
         links="https://www.facebook.com/x/1\nhttps://example.vn/tin")
    (case,) = all_cases(sqlite)
    with sqlite.reading() as session:
        assert forms.of(session, case) == FakeNews(
            ("https://www.facebook.com/x/1", "https://example.vn/tin"), Platform.FACEBOOK
        )
    sent(citizen, key="another-key-of-a-page", category="fake_news", platform="zalo", links="",
         files=[(io.BytesIO(files.picture("PNG")), "chụp.png")])  # a screenshot does too
    assert len(all_cases(sqlite)) == 2


def test_an_error_in_a_vaccination_record_is_told_in_fields(
    citizen: Browser, sqlite: Database
) -> None:
    told = {"category": "vaccine_record", "wrong": "missing", "dose": "2", "vaccine": "Pfizer",
            "given_on": "2021-09-15", "clinic": "Trạm y tế phường", "lot": "FG3716"}
    for bad in ({"wrong": "x"}, {"dose": "0"}, {"given_on": "2090-01-01"}, {"given_on": "hôm qua"}):
        assert sent(citizen, **told | bad).status_code == 400
    sent(citizen, **told)
    (case,) = all_cases(sqlite)
    with sqlite.reading() as session:
        assert forms.of(session, case) == VaccineRecord(
            Wrong.MISSING, 2, date(2021, 9, 15), "Trạm y tế phường", "Pfizer", "FG3716"
        )


def test_who_sends_too_much_is_asked_to_wait(citizen: Browser) -> None:
    page = token(citizen.client)
    found = int(limits.SENT_LIMIT.split()[0])
    for number in range(found + 1):
        answer = citizen.client.post("/report", data={"csrf_token": page, "key": str(number)})
    assert answer.status_code == 429
    assert "Đã gửi quá nhiều từ nơi này" in answer.text


def asked(browser: Browser, code: str, tail: str) -> TestResponse:
    return browser.client.post("/status", data={
        "csrf_token": token(browser.client, "/status"), "code": code, "tail": tail,
    })


def test_how_a_case_stands_is_told_by_code_and_number(citizen: Browser, sqlite: Database) -> None:
    sent(citizen)
    (case,) = all_cases(sqlite)
    shown = asked(citizen, f"{case.code[:4]} {case.code[4:]}", "5678")
    assert "Đường sá, giao thông" in shown.text
    assert "Đường ngập" not in shown.text  # what it says stays with the hotline
    assert asked(citizen, "1", "5678").status_code == 400
    wrong = [asked(citizen, case.code, "0000").status_code for _ in range(6)]
    assert wrong == [404] * 5 + [429]
    assert asked(citizen, case.code, "5678").status_code == 429  # only a person can help now


@pytest.fixture
def with_results(sqlite: Database) -> dict[str, Case]:
    """Cases of every sort, all with a public text where one could be set by mistake."""
    made = {}
    with sqlite.transaction() as session:
        sorts: dict[str, dict[str, Any]] = {
            "shown": {"public": True}, "private": {}, "hidden": {"identity": Identity.HIDDEN},
            "sensitive": {"public": True, "sensitive": True}, "open": {"public": True},
        }
        for name, told in sorts.items():
            case = factory.opened(session, **told)
            if name != "open":
                life.set_answer(session, case, "Đã xong, bà A đồng ý.", by="huy", now=NOW)
                life.move(session, case, Status.RESOLVED, by="huy", now=NOW)
            case.public = case.public or name == "hidden"
            case.public_text, case.category, case.area = f"Kết quả {name}", "roads", "14758"
            made[name] = case
    return made


def test_results_show_nothing_but_what_may_be_shown(
    citizen: Browser, with_results: dict[str, Case]
) -> None:
    for path in ("/results", "/results?category=roads&area=14758", "/results.rss"):
        page = citizen.client.get(path).text
        assert "Kết quả shown" in page
        for name in ("private", "hidden", "sensitive", "open"):
            assert f"Kết quả {name}" not in page
        assert with_results["shown"].code not in page
        assert "bà A" not in page
    assert "<article" not in citizen.client.get("/results?category=food").text
    assert citizen.client.get("/results?page=-5&area=x'--").status_code == 200


def test_a_text_for_everybody_has_no_numbers(
    with_results: dict[str, Case], sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case = session.get_one(Case, with_results["shown"].id)
        with pytest.raises(life.CaseError):
            dispatch.set_public(session, case, "Gọi 0912 345 678", by="huy", now=NOW)
        dispatch.set_public(session, case, "Đã vá mặt đường.", by="huy", now=NOW)
        assert results.find(session)[0][0].public_text == "Đã vá mặt đường."
        dispatch.set_public(session, case, "", by="huy", now=NOW)
        assert results.find(session) == ([], 0)


def test_results_come_in_pages(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        for number in range(results.PAGE + 1):
            case = factory.opened(session, public=True)
            life.set_answer(session, case, "Xong", by="huy", now=NOW)
            life.move(
                session, case, Status.RESOLVED, by="huy", now=NOW + timedelta(minutes=number)
            )
            case.public_text = f"Việc {number}"
    with sqlite.reading() as session:
        newest, count = results.find(session)
        last, _count = results.find(session, page=2)
    assert (count, newest[0].public_text, [one.public_text for one in last]) == (
        results.PAGE + 1, f"Việc {results.PAGE}", ["Việc 0"]
    )


def test_a_report_about_officials_is_sensitive_at_once(citizen: Browser, sqlite: Database) -> None:
    sent(citizen, category="officials", public="yes")
    (case,) = all_cases(sqlite)
    assert case.sensitive


def test_files_that_are_too_large_together_are_named(citizen: Browser, sqlite: Database) -> None:
    large = b"\0" * (attachments.LARGEST - 1000)
    answer = sent(citizen, files=[(io.BytesIO(large), f"{n}.mp4") for n in range(4)])
    assert (answer.status_code, "Các tệp quá lớn" in answer.text) == (413, True)


def test_citizens_behind_the_operators_proxy_are_told_apart(
    tmp_path: Path, sqlite: Database
) -> None:
    settings = settings_room.load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_PROXIES": "1"})
    app = create_app(settings, sqlite, ObedientPhones(), SECRETS)
    with app.test_client() as client:
        seen = set()
        for address in ("203.0.113.7", "203.0.113.8, 203.0.113.9"):  # the last is the proxy's word
            client.get("/status", headers={"X-Forwarded-For": address})
            seen.add(limits.address())
    feed_of(app).close()
    assert seen == {"203.0.113.7", "203.0.113.9"}
