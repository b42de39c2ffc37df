"""Cases at the desk: opened in a call, classified by any name of a place, sent, answered."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from crm import agencies, cases, routing
from crm.case_models import Case, Status
from crm.database import Database
from tests.agent_console.conftest import Browser
from tests.crm.case_factory import NOW

CALL = "th1.b1-1795383584.7"
COMMITTEE = "UB14758"  # of Phường Hàm Rồng


@pytest.fixture(autouse=True)
def province(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        agencies.take_in(session, agencies.read(agencies.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), NOW)


def opened(browser: Browser, **told: str) -> TestResponse:
    known = {"summary": "Nhà tôi hết gạo", "identity": "shown", "phone": "0912 345 678"}
    return browser.submit("/cases", **known | told)  # type: ignore[no-any-return]


def the_case(database: Database) -> Case:
    with database.reading() as session:
        (case,) = cases.latest(session, 10)
        case.agency, case.about  # noqa: B018 - loaded for whoever looks at it later
        return case


def seen(browser: Browser, code: str) -> str:
    page = browser.client.get(f"/cases/{code}").get_data(as_text=True)
    found = re.search(r'name="seen" value="(\d+)"', page)
    assert found
    return found[1]


def text_of(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def test_a_case_of_a_call_is_opened_with_its_number_and_classified_at_once(
    agent: Browser, sqlite: Database
) -> None:
    form = text_of(agent.client.get(f"/cases/new?call={CALL}&caller=0912345678"))
    assert 'value="0912345678"' in form
    answer = opened(agent, call=CALL, category="food", place="Hàm Rồng")
    case = the_case(sqlite)
    assert answer.location == f"/cases/{case.code}"
    page = text_of(agent.client.get(answer.location))
    assert f"{case.code[:4]} {case.code[4:]}" in page  # to be read out in two groups
    assert (case.phone, case.channel) == ("0912345678", "call")
    with sqlite.reading() as session:
        assert cases.calls_of(session, case) == [CALL]
    assert (case.status, case.category, case.area) == ("classified", "food", "14758")
    assert "Giao cơ quan xử lý" not in page  # agents do not send cases


def test_an_old_commune_that_was_split_asks_for_the_side(agent: Browser, sqlite: Database) -> None:
    answer = opened(agent, category="roads", place="phường đông thọ")
    assert answer.status_code == 400
    page = text_of(answer)
    assert "Nhà tôi hết gạo" in page  # nothing that was typed is lost
    assert re.findall(r'name="area" value="(\d+)"', page) == ["14797", "14758"]
    with sqlite.reading() as session:
        assert cases.latest(session, 10) == []
    assert opened(
        agent, category="roads", place="phường đông thọ", area="14797"
    ).status_code == 302
    assert the_case(sqlite).area == "14797"
    assert "Không có xã, phường nào tên như vậy" in text_of(opened(
        agent, category="roads", place="Nơi Nào Đó"
    ))


def test_the_supervisor_sends_it_where_it_is_suggested_and_answers(
    supervisor: Browser, sqlite: Database
) -> None:
    opened(supervisor, category="food", place="Hàm Rồng")
    code = the_case(sqlite).code
    listed = text_of(supervisor.client.get("/cases"))
    assert listed.index(code) < listed.index("Đang ở các cơ quan")  # nobody has it yet
    page = text_of(supervisor.client.get(f"/cases/{code}"))
    assert f'<option value="{COMMITTEE}" selected>' in page

    def ask(act: str, **form: str) -> TestResponse:
        return supervisor.submit(  # type: ignore[no-any-return]
            f"/cases/{code}/{act}", seen=seen(supervisor, code), **form
        )

    ask("assign", agency=COMMITTEE)
    refused = ask("move", to="resolved")
    assert refused.status_code == 400
    assert "Cần có nội dung trả lời" in text_of(refused)
    assert "Hãy ghi lý do" in text_of(ask("move", to="extended", due="2030-01-01"))
    ask("answer", answer="Trạm y tế đã mang gạo đến.")
    ask("move", to="resolved")
    case = the_case(sqlite)
    assert (case.status, case.answer) == ("resolved", "Trạm y tế đã mang gạo đến.")
    with sqlite.reading() as session:
        by = {one.by for one in cases.events_of(session, case)}
    assert by == {"huy"}


def test_who_has_read_an_older_state_changes_nothing_and_sees_what_changed(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    opened(agent, category="other")
    code = the_case(sqlite).code
    old = seen(supervisor, code)
    agent.submit(f"/cases/{code}/classify", category="roads", place="Hàm Rồng", seen=old)
    late = supervisor.submit(f"/cases/{code}/assign", agency="SXD", seen=old)
    assert late.status_code == 409
    assert "Người khác vừa thay đổi phản ánh này" in text_of(late)
    assert the_case(sqlite).status == Status.CLASSIFIED


def test_a_case_about_an_agency_is_not_offered_to_it(
    supervisor: Browser, sqlite: Database
) -> None:
    opened(supervisor, category="officials", place="Hàm Rồng", about="TTT")
    code = the_case(sqlite).code
    page = text_of(supervisor.client.get(f"/cases/{code}"))
    send = page[page.index("Giao cơ quan xử lý"):]
    assert 'value="TTT"' not in send
    assert '<option value="VPUB" selected>' in send  # one level up
    forced = supervisor.submit(
        f"/cases/{code}/assign", agency="TTT", seen=seen(supervisor, code)
    )
    assert forced.status_code == 400
    assert the_case(sqlite).agency is None


@pytest.mark.parametrize(("form", "sentence"), [
    ({"summary": " "}, "Hãy ghi nội dung phản ánh"),
    ({"phone": "12"}, "10 hoặc 11 chữ số"),
    ({"identity": "anonymous"}, "Phản ánh ẩn danh không lưu số"),
    ({"category": "no such"}, "Hãy chọn lĩnh vực"),
    ({"category": "roads", "about": "NONE"}, "Hãy chọn một cơ quan"),
])
def test_what_cannot_be_is_refused_in_words_and_kept_in_the_form(
    agent: Browser, sqlite: Database, form: dict[str, str], sentence: str
) -> None:
    answer = opened(agent, **form)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    with sqlite.reading() as session:
        assert cases.latest(session, 10) == []


def test_forged_values_are_refused(agent: Browser, supervisor: Browser, sqlite: Database) -> None:
    assert opened(agent, call="x';drop").status_code == 400
    assert opened(agent, identity="nobody").status_code == 400
    opened(agent)
    code = the_case(sqlite).code
    assert agent.submit(f"/cases/{code}/assign", agency="SXD").status_code == 403
    assert supervisor.submit(f"/cases/{code}/move", to="gone").status_code == 400
    assert supervisor.client.get("/cases/12345678").status_code == 404
    assert "Không có phản ánh nào mang mã này" in text_of(
        supervisor.client.get("/cases?q=1234 5678")
    )
    assert supervisor.client.get(f"/cases?q={code[:4]} {code[4:]}").location == f"/cases/{code}"


def test_a_case_is_found_by_words_with_or_without_accents(agent: Browser, sqlite: Database) -> None:
    opened(agent)
    opened(agent, summary="Mất điện từ sáng")
    page = text_of(agent.client.get("/cases?q=het gao"))
    assert "Nhà tôi hết gạo" in page
    assert "Mất điện" not in page
    assert "<script>" not in text_of(agent.client.get('/cases?q="<script>* OR'))
