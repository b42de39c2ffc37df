"""Knowledge at the console: articles for readers and editors, contact points, open data."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from crm.database import Database
from crm.knowledge import articles, points
from crm.knowledge.models import Article, ContactPoint
from crm.notices.models import Notice
from tests.agent_console.conftest import Browser
from tests.agent_console.factories import add_call, put_live_call
from tests.crm.knowledge.factory import ARTICLE, POINT, WARD

WRITTEN = {name: ARTICLE[name] for name in ARTICLE if name != "code"}


def text_of(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def write(database: Database, **told: str) -> str:
    """An article of huy's; its code."""
    with database.transaction() as session:
        parsed = articles.parse(session, ARTICLE | told)
        return articles.save(session, parsed, by="huy", now=datetime.now(UTC)).code


def add_point(database: Database, **told: str) -> ContactPoint:
    now = datetime.now(UTC)
    with database.transaction() as session:
        return points.save(session, points.parse(POINT | told, now), by="huy", now=now)


def test_an_agent_who_types_dau_hong_finds_the_article(
    agent: Browser, sqlite: Database
) -> None:
    code = write(sqlite)
    write(sqlite, title="Đau họng (nháp)", state="draft")
    listed = text_of(agent.client.get("/knowledge?q=dau+hong"))
    assert "Khi bị đau họng" in listed
    assert "nháp" not in listed
    (found,) = agent.client.get("/knowledge/search?q=dau hong").get_json()["articles"]
    assert found["title"] == "Khi bị đau họng"
    assert found["blocks"] == [
        ["text", ["Uống nước ấm."]], ["list", ["Nghỉ ngơi", "Đeo khẩu trang"]],
    ]
    page = text_of(agent.client.get(f"/knowledge/{code}"))
    assert "<li>Đeo khẩu trang</li>" in page
    assert f"/knowledge/{code}/edit" not in page
    assert agent.client.get("/knowledge/dau-hong-nhap").status_code == 404


def test_what_an_article_says_is_text_and_never_a_program(
    agent: Browser, sqlite: Database
) -> None:
    code = write(sqlite, body="<script>alert(1)</script>\n\n- <b>x</b>")
    page = text_of(agent.client.get(f"/knowledge/{code}"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>x</b>" not in page


def test_a_supervisor_writes_and_changes_an_article_and_sees_what_changed(
    supervisor: Browser, sqlite: Database
) -> None:
    made = supervisor.submit("/knowledge", **WRITTEN)
    assert made.location == "/knowledge/khi-bi-dau-hong"
    changed = supervisor.submit(made.location, **WRITTEN | {"body": "Uống nước muối."}, seen=1)
    assert changed.location == made.location
    page = text_of(supervisor.client.get(f"{made.location}/versions"))
    assert '<span class="sign">+</span> Uống nước muối.' in page
    assert '<span class="sign">−</span> Uống nước ấm.' in page
    with sqlite.reading() as session:
        assert session.scalars(select(Article.changed_by)).one() == "huy"


def test_a_stale_change_is_answered_409_with_what_has_changed(
    supervisor: Browser, sqlite: Database
) -> None:
    code = write(sqlite)
    write(sqlite, code=code, title="Đau họng, ho")
    answer = supervisor.submit(f"/knowledge/{code}", **WRITTEN | {"body": "Của tôi"}, seen=1)
    page = text_of(answer)
    assert answer.status_code == 409
    assert "Đau họng, ho" in page
    assert "Của tôi" in page  # what was written is not lost
    assert supervisor.submit(
        f"/knowledge/{code}", **WRITTEN | {"body": "Của tôi"}, seen=2
    ).status_code == 302


def test_faults_of_an_article_are_told_and_nothing_is_lost(supervisor: Browser) -> None:
    answer = supervisor.submit("/knowledge", **WRITTEN | {"title": "", "owner": "nobody"})
    assert answer.status_code == 400
    page = text_of(answer)
    assert "Tiêu đề có từ 1 đến 200 ký tự." in page
    assert "Hãy chọn người phụ trách bài viết." in page
    assert "Đeo khẩu trang" in page


def test_articles_whose_review_is_overdue_stand_before_the_supervisor(
    supervisor: Browser, agent: Browser, sqlite: Database
) -> None:
    write(sqlite, review_on="2020-01-01")
    assert "Cần rà soát" in text_of(supervisor.client.get("/knowledge"))
    assert "Cần rà soát" not in text_of(agent.client.get("/knowledge"))


def test_contact_points_are_shown_by_kind_and_commune_and_found_by_words(
    agent: Browser, sqlite: Database
) -> None:
    add_point(sqlite)
    add_point(sqlite, kind="test", name="Điểm xét nghiệm Mẫu Hai", hours="24/7")
    add_point(sqlite, name="Đã đóng", valid_to="2020-01-01")
    both = text_of(agent.client.get("/points"))
    assert "Mẫu Một" in both
    assert "đang mở cửa" in both
    assert "Đã đóng" not in both
    assert "Mẫu Một" not in text_of(agent.client.get(f"/points?kind=test&area={WARD}"))
    assert "Mẫu Hai" in text_of(agent.client.get("/points?q=xet nghiem ham rong"))


def test_a_supervisor_adds_and_changes_a_contact_point(
    supervisor: Browser, sqlite: Database
) -> None:
    form = {name: POINT[name] for name in POINT if name != "code"}
    assert supervisor.submit("/points", **form).status_code == 302
    address = "/points/diem-tiem-chung-mau-mot"
    assert "0237" in text_of(supervisor.client.get(address))
    wrong = supervisor.submit(address, **form | {"hours": "sáng", "phones": "1"}, seen=1)
    assert wrong.status_code == 400
    assert "Giờ mở cửa viết như sau" in text_of(wrong)
    assert supervisor.submit(address, **form | {"name": "Mới"}, seen=1).status_code == 302
    stale = supervisor.submit(address, **form | {"name": "Cũ"}, seen=1)
    assert stale.status_code == 409
    assert "<dd>Mới</dd>" in text_of(stale)


def test_an_agent_sends_a_contact_point_once_to_who_calls(
    agent: Browser, sqlite: Database
) -> None:
    point = add_point(sqlite)
    call = put_live_call(sqlite, 1, agent="lan", state="talking")
    for sent in (True, False):
        answer = agent.ask("POST", f"/points/{point.code}/sms", {"call": call})
        assert answer.get_json() == {"sent": sent}
    with sqlite.reading() as session:
        notice = session.scalars(select(Notice)).one()
    assert (notice.recipient, notice.purpose, notice.personal) == ("0912345678", "knowledge", False)
    assert notice.body.startswith("1022 Thanh Hoa: Diem tiem chung Mau Mot. So 1 duong Mau, ")
    assert "02373000000" in notice.body


@pytest.mark.parametrize(("values", "code"), [
    ({"agent": "minh"}, 404), ({"agent": "lan", "caller": None}, 409),
])
def test_nothing_is_sent_to_whoever_does_not_call_here(
    agent: Browser, sqlite: Database, values: dict[str, str | None], code: int
) -> None:
    point = add_point(sqlite)
    call = add_call(sqlite, **values).id
    assert agent.ask("POST", f"/points/{point.code}/sms", {"call": call}).status_code == code
    assert agent.ask("POST", f"/points/{point.code}/sms", {"call": 1}).status_code == 400
    with sqlite.reading() as session:
        assert session.scalars(select(Notice)).all() == []


def test_open_data_is_for_everybody_and_may_be_kept(browser: Browser, sqlite: Database) -> None:
    add_point(sqlite, note="=1+1")
    add_point(sqlite, name="Đã đóng", valid_to="2020-01-01")
    answer = browser.client.get("/open-data/contact-points.json")
    (one,) = answer.get_json()["contact_points"]
    assert (one["name"], one["area_name"]) == ("Điểm tiêm chủng Mẫu Một", "Phường Hàm Rồng")
    assert one["phones"] == ["02373000000"]
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    table = browser.client.get("/open-data/contact-points.csv")
    (row,) = csv.DictReader(io.StringIO(table.get_data().decode("utf-8-sig")))
    assert (row["code"], row["note"]) == (one["code"], "'=1+1")
    for first in (answer, table):
        again = browser.client.get(
            first.request.path, headers={"If-None-Match": first.headers["ETag"]}
        )
        assert (again.status_code, again.get_data()) == (304, b"")
    add_point(sqlite, name="Mới")
    newer = browser.client.get(
        "/open-data/contact-points.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert newer.status_code == 200
