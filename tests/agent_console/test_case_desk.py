"""Cases at the desk: opened in a call, classified by any name of a place, sent, answered."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import TestResponse

from crm.agencies import register
from crm.cases import dispatch, life, links, promises, routing
from crm.cases.models import Case, Identity, Status
from crm.database import Database
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call
from tests.crm.cases import factory
from tests.crm.cases.factory import NOW

CALL = "th1.b1-1795383584.7"
COMMITTEE = "UB14758"  # of Phường Hàm Rồng


@pytest.fixture(autouse=True)
def province(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        register.take_in(session, register.read(register.PROVINCE))
        session.flush()
        routing.take_in(session, routing.read(routing.PROVINCE), NOW)


def opened(browser: Browser, **told: str) -> TestResponse:
    known = {"summary": "Nhà tôi hết gạo", "identity": "shown", "phone": "0912 345 678"}
    return browser.submit("/cases", **known | told)  # type: ignore[no-any-return]


def the_case(database: Database) -> Case:
    with database.reading() as session:
        (case,) = life.latest(session, 10)
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
        assert life.calls_of(session, case) == [CALL]
    assert (case.status, case.category, case.area) == ("classified", "food", "14758")
    assert "Giao cơ quan xử lý" not in page  # agents do not send cases


def test_an_old_commune_that_was_split_asks_for_the_side(agent: Browser, sqlite: Database) -> None:
    answer = opened(agent, category="roads", place="phường đông thọ")
    assert answer.status_code == 400
    page = text_of(answer)
    assert "Nhà tôi hết gạo" in page  # nothing that was typed is lost
    assert re.findall(r'name="area" value="(\d+)"', page) == ["14797", "14758"]
    with sqlite.reading() as session:
        assert life.latest(session, 10) == []
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
        by = {one.by for one in life.events_of(session, case)}
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
        assert life.latest(session, 10) == []


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


def a_case(database: Database, **told: object) -> str:
    with database.transaction() as session:
        case = factory.opened(session, now=datetime.now(UTC), **told)
        life.classify(session, case, "environment", by="huy", now=datetime.now(UTC),
                       area="14758")
        return case.code


def changed(browser: Browser, code: str, what: str, **form: str) -> TestResponse:
    return browser.submit(f"/cases/{code}/{what}", seen=seen(browser, code), **form)  # type: ignore[no-any-return]


def test_a_double_is_shown_with_why_and_joined(supervisor: Browser, sqlite: Database) -> None:
    first = a_case(sqlite, summary="Bãi rác tự phát ở đầu cầu Hàm Rồng", phone="0912345671")
    second = a_case(sqlite, summary="bai rac tu phat dau cau ham rong", phone="0912345672")
    page = text_of(supervisor.client.get(f"/cases/{second}"))
    assert f"{first[:4]} {first[4:]}" in page
    assert "cùng địa bàn" in page
    assert changed(supervisor, second, "join", main=second).status_code == 400
    assert changed(supervisor, second, "join", main="00000000").status_code == 400
    assert changed(supervisor, second, "join", main=f"{first[:4]} {first[4:]}").status_code == 302
    with sqlite.reading() as session:
        double = life.by_code(session, second)
        assert (double.status, double.duplicate_of and double.duplicate_of.code) == (
            "duplicate", first
        )
    assert f"{second[:4]} {second[4:]}" in text_of(supervisor.client.get(f"/cases/{first}"))


def test_two_troubles_of_one_call_become_two_cases(agent: Browser, sqlite: Database) -> None:
    call = add_call(sqlite).id
    code = a_case(sqlite, call_id=call)
    assert changed(agent, code, "split", summary=" ").status_code == 400
    answer = changed(agent, code, "split", summary="Đèn đường hỏng")
    assert answer.status_code == 302
    with sqlite.reading() as session:
        other = life.latest(session, 1)[0]
        assert other.summary == "Đèn đường hỏng"
        assert life.calls_of(session, other) == [call]
        told = f"{other.code[:4]} {other.code[4:]}"
    assert told in text_of(agent.client.get(answer.location))


def test_another_call_of_the_same_number_is_added(agent: Browser, sqlite: Database) -> None:
    code = a_case(sqlite, phone="0912345678")
    call = add_call(sqlite, caller="0912345678").id
    assert call in text_of(agent.client.get(f"/cases/{code}"))
    assert changed(agent, code, "call", call="th1.b1-1.999").status_code == 400
    assert changed(agent, code, "call", call=call).status_code == 302
    with sqlite.reading() as session:
        assert life.calls_of(session, life.by_code(session, code)) == [call]


def test_the_desk_sees_what_is_not_opened_revokes_a_link_and_sends_new_ones(
    supervisor: Browser, sqlite: Database
) -> None:
    code, now = a_case(sqlite), datetime.now(UTC)
    people = promises.People((), (), "https://h.example", timedelta(days=7))
    with sqlite.transaction() as session:
        case = life.by_code(session, code)
        factory.officer(session, agency=COMMITTEE)
        life.move(session, case, Status.ASSIGNED, by="huy", now=now, agency=COMMITTEE)
        promises.follow(session, case.id, now, people)
        (link,) = links.of_case(session, case)
        assert not dispatch.to_look_at(session, now)
        (look,) = dispatch.to_look_at(session, now + dispatch.UNOPENED_AFTER)
        assert (look.case.code, look.why) == (code, "unopened")
        link_id = link.id
    assert "chưa mở" in text_of(supervisor.client.get(f"/cases/{code}"))
    assert changed(supervisor, code, "links", end=str(link_id)).status_code == 302
    assert changed(supervisor, code, "links", end=str(link_id)).status_code == 400  # has ended
    assert changed(supervisor, code, "links").status_code == 302
    with sqlite.transaction() as session:
        case = life.by_code(session, code)
        promises.follow(session, case.id, datetime.now(UTC), people)
        assert [one.ended_at is None for one in links.of_case(session, case)] == [False, True]


def test_what_was_given_back_or_displeased_stands_in_the_list(
    supervisor: Browser, sqlite: Database
) -> None:
    back, bad, now = a_case(sqlite), a_case(sqlite), datetime.now(UTC)
    with sqlite.transaction() as session:
        for code in (back, bad):
            life.move(session, life.by_code(session, code), Status.ASSIGNED, by="huy", now=now,
                       agency=COMMITTEE)
        life.move(session, life.by_code(session, back), Status.CLASSIFIED, by="an", now=now,
                   reason="việc của sở")
        case = life.by_code(session, bad)
        life.set_answer(session, case, "Đã xong.", by="huy", now=now)
        life.move(session, case, Status.RESOLVED, by="huy", now=now)
        case.satisfaction = 3
    page = text_of(supervisor.client.get("/cases"))
    assert "cơ quan trả lại" in page
    assert "người dân chưa hài lòng" in page


def test_a_case_that_is_not_settled_is_opened_again_for_a_reason_and_sent_anew(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        code = factory.answered(session, "Đã sửa.", now=datetime.now(UTC)).code
    form = text_of(supervisor.client.get(f"/cases/{code}"))
    assert "Việc chưa xong" in form
    assert "Việc chưa xong" not in text_of(agent.client.get(f"/cases/{code}"))
    answer = supervisor.submit(f"/cases/{code}/move", to="reopened", seen=seen(supervisor, code),
                               reason="người dân gọi: vẫn còn ngập")
    assert answer.status_code == 302
    case = the_case(sqlite)
    assert (case.status, case.due_at > datetime.now(UTC)) == (Status.REOPENED, True)
    page = text_of(supervisor.client.get(f"/cases/{code}"))
    assert "vẫn còn ngập" in page
    assert "Giao cơ quan xử lý" in page


def test_a_result_is_made_public_only_where_the_citizen_lets_it_be(
    supervisor: Browser, sqlite: Database
) -> None:
    open_, private, now = a_case(sqlite, public=True), a_case(sqlite), datetime.now(UTC)
    with sqlite.transaction() as session:
        for code in (open_, private):
            case = life.by_code(session, code)
            life.set_answer(session, case, "Đã xong.", by="huy", now=now)
            life.move(session, case, Status.RESOLVED, by="huy", now=now)
    assert "public_text" not in text_of(supervisor.client.get(f"/cases/{private}"))
    assert changed(supervisor, open_, "public", public_text="Đã dọn rác.").status_code == 302
    assert "Đã dọn rác." in text_of(supervisor.client.get(f"/cases/{open_}"))
    refused = supervisor.submit(
        f"/cases/{private}/public", seen=str(last_event(sqlite, private)), public_text="Đã dọn."
    )
    assert refused.status_code == 400


def last_event(database: Database, code: str) -> int:
    with database.reading() as session:
        return life.events_of(session, life.by_code(session, code))[-1].id


def test_who_reported_is_shown_for_a_reason_that_stays_where_it_is_hidden(
    agent: Browser, sqlite: Database
) -> None:
    hidden, shown = a_case(sqlite, identity=Identity.HIDDEN), a_case(sqlite)
    assert "0912345678" in text_of(agent.client.get(f"/cases/{shown}"))
    assert "0912345678" not in text_of(agent.client.get(f"/cases/{hidden}"))
    assert agent.submit(f"/cases/{hidden}/identity", reason=" ? ").status_code == 400
    page = text_of(agent.submit(f"/cases/{hidden}/identity", reason="gọi lại để hỏi địa chỉ"))
    assert "0912345678" in page
    assert "gọi lại để hỏi địa chỉ" in page
    assert "0912345678" not in text_of(agent.client.get(f"/cases/{hidden}"))
    with sqlite.reading() as session:
        last = life.events_of(session, life.by_code(session, hidden))[-1]
        assert (last.by, last.what, last.note) == ("lan", "looked", "gọi lại để hỏi địa chỉ")


def test_the_words_of_a_private_case_are_read_for_a_reason(
    agent: Browser, supervisor: Browser, sqlite: Database
) -> None:
    opened(agent, summary="Chồng tôi ho ra máu", category="care", place="Hàm Rồng")
    code = the_case(sqlite).code
    assert "ho ra máu" in text_of(agent.client.get(f"/cases/{code}"))  # has just written it
    for page in (f"/cases/{code}", "/cases", "/cases?q=kham+benh", "/work"):
        assert "ho ra máu" not in text_of(supervisor.client.get(page)), page
    assert "Nội dung được niêm phong" in text_of(supervisor.client.get("/cases"))
    refused = supervisor.submit(f"/cases/{code}/words", reason="x")
    assert refused.status_code == 400
    assert "ho ra máu" not in text_of(refused)
    answer = supervisor.submit(f"/cases/{code}/words", reason="Để chuyển cơ quan xử lý")
    page = text_of(supervisor.client.get(answer.location))
    assert "ho ra máu" in page
    assert "Để chuyển cơ quan xử lý" in page
    assert "ho ra máu" not in text_of(supervisor.client.get("/cases"))  # lists never


def test_what_the_agency_asks_and_the_citizen_adds_stands_on_the_page(
    agent: Browser, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        case = factory.opened(session, summary="Ổ gà")
        life.move(session, case, Status.ASSIGNED, by="huong", now=NOW, agency="SXD")
        life.move(session, case, Status.NEED_INFO, by="sy", now=NOW, reason="Ở km mấy?",
                   mover=life.Mover.OFFICER)
        code = case.code
    assert "Ở km mấy?" in text_of(agent.client.get(f"/cases/{code}"))
    told = {"seen": seen(agent, code), "information": "Km 12"}
    assert agent.submit(f"/cases/{code}/information", **told).status_code == 302
    assert "Km 12" in text_of(agent.client.get(f"/cases/{code}"))
    assert agent.submit(f"/cases/{code}/information", **told).status_code == 409
    empty = agent.submit(f"/cases/{code}/information", seen=seen(agent, code), information=" ")
    assert empty.status_code == 400


def test_the_form_beside_the_call_knows_who_calls_and_stays_on_the_desk(
    agent: Browser, sqlite: Database
) -> None:
    call = add_call(sqlite, agent="lan", caller="0912345678")
    given = {
        "panel": "yes", "call": call.id, "phone": "0912345678", "identity": "shown",
        "summary": "Mất nước", "name": "Bà  Tư", "category": "utilities",
        "place": "Phường Hạc Thành",
    }
    wrong = agent.submit("/cases", **{**given, "summary": ""})
    assert wrong.status_code == 400
    page = wrong.get_data(as_text=True)
    assert "Bà  Tư" in page  # nothing is lost
    assert "<html" not in page
    answer = agent.submit("/cases", **given)
    assert answer.status_code == 201
    told = answer.get_json()
    assert told["shown"] == f"{told['code'][:4]} {told['code'][4:]}"
    again = agent.client.get(f"/cases/new?panel=yes&call={call.id}").get_data(as_text=True)
    assert 'value="Bà Tư"' in again
    assert 'value="Phường Hạc Thành"' in again
    assert agent.ask("GET", f"/agent/calls/{call.id}").get_json()["cases"][0]["of_call"]


def test_who_stays_hidden_is_not_written_down(agent: Browser, sqlite: Database) -> None:
    agent.submit("/cases", panel="yes", phone="0912345678", identity="hidden", summary="Mất nước",
                 call=add_call(sqlite, agent="lan").id, name="Bà Tư")
    assert "Bà Tư" not in agent.client.get(
        "/cases/new?panel=yes&caller=0912345678"
    ).get_data(as_text=True)


def test_a_sign_that_no_database_holds_is_refused(agent: Browser, sqlite: Database) -> None:
    opened(agent)
    code = the_case(sqlite).code
    for path in (f"/cases/{code}/words", f"/cases/{code}/identity"):
        assert agent.submit(path, reason="Người dân\0đang gọi").status_code == 400
