"""What the readers of the manuals find at the hotline: people of each role, and a day's work."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm import users
from crm.agencies import officers
from crm.agencies.models import Officer, Post
from crm.cases import attachments, dispatch, drafts, life
from crm.cases.models import Case, Identity, Status
from crm.clock import vietnam_day
from crm.knowledge import articles
from crm.models import Call, CallSegment, Role, User
from crm.notices import outbox
from crm.notices.models import Channel, Purpose, State
from crm.privacy import breaches, requests
from crm.quality import cards, draws, evaluations
from crm.quality.models import QualityPick
from crm.reports import health
from crm.reports.health import Figures
from crm.reports.models import ReportRun
from crm.shifts import swaps
from tests.crm.knowledge import factory as knowledge
from tests.crm.shifts import factory as shifts
from tests.live.running import Hotline

PASSWORD = "of-those-who-read-manuals-1022"
PEOPLE = (
    ("giamsat", "Giám sát viên", Role.SUPERVISOR), ("dieuphoi", "Điều phối viên", Role.DISPATCHER),
    ("kiemtoan", "Kiểm toán", Role.AUDITOR), ("yte", "Cán bộ y tế", Role.HEALTH),
    ("canbo", "Cán bộ xử lý", Role.OFFICER), ("lanhdao", "Lãnh đạo", Role.LEADER),
    ("bacsi", "Bác sĩ trực", Role.EXPERT), ("quantri2", "Quản trị hai", Role.ADMIN),
    ("agent3", "Điện thoại viên 3", Role.AGENT),
)
AGENCY, OFFICER = "SYT", "0987000011"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """Codes of cases, by what is to be done with them."""

    sealed: str
    doubled: str
    hidden: str
    handled: str
    waits: str
    published: str
    unsettled: str


def seeded(hotline: Hotline) -> World:
    now = datetime.now(UTC)
    with (hotline.home / "first-accounts.txt").open("a", encoding="utf-8") as out:
        out.writelines(f"{login} {PASSWORD} {role.value}\n" for login, _, role in PEOPLE)
    with hotline.database.transaction() as session:
        for login, name, role in PEOPLE:
            users.create_user(session, login=login, name=name, role=role, password=PASSWORD,
                              now=now)
        _calls(session, now)
        _knowledge(session, now)
        _shifts(session, now)
        _papers(session, now)
        return _cases(session, hotline, now)


def _calls(session: Session, now: datetime) -> None:
    def call(number: int, **values: Any) -> Call:
        row = Call(**{
            "id": f"th1.old-{number}.1", "node": "th1", "boot": "old", "direction": "in",
            "kind": "citizen", "caller": f"09123456{number}", "started_at": now - HOUR,
            "ended_at": now - HOUR + timedelta(minutes=3), "branch": "vaccine", "path": [],
            **values,
        })
        session.add(row)
        return row

    call(80, outcome="abandoned_queue")
    call(81, outcome="voicemail", voicemail="old.wav")
    call(82, outcome="abandoned_queue", emergency=True, unreached=True, branch="emergency")
    call(86, outcome="abandoned_queue")
    week = now - timedelta(days=7)
    for number, at in ((83, week), (84, week), (85, week - timedelta(days=7))):
        spoken = call(number, outcome="answered", agent="agent1", started_at=at, answered_at=at,
                      ended_at=at + timedelta(minutes=2), talk_ms=120_000,
                      recording=f"th1.old-{number}.1.raw", recording_notice="heard")
        session.add(CallSegment(call_id=spoken.id, number=1, what="talk", agent="agent1",
                                started_at=at, ms=120_000))
    session.flush()
    drawn = draws.draw(session, draws.week_before(week), 1, by="giamsat", now=now)
    pick = session.scalars(select(QualityPick).where(QualityPick.draw_id == drawn.id)).one()
    card = cards.save(session, "Nghe máy", [("Chào đúng câu", "scale", 1, False)], by="giamsat",
                      now=now)
    evaluations.judge(session, pick.id, card.id, {"q1": 4}, "Chào nhanh quá.", by="giamsat",
                      now=now)


def _knowledge(session: Session, now: datetime) -> None:
    session.flush()
    knowledge.point(session)
    articles.save(session, articles.parse(session, knowledge.ARTICLE | {
        "owner": "giamsat", "review_on": f"{now - timedelta(days=9):%Y-%m-%d}",
    }), by="giamsat", now=now)


def _shifts(session: Session, now: datetime) -> None:
    one, two, three = (session.scalars(select(User).where(User.login == login)).one()
                       for login in ("agent1", "agent2", "agent3"))
    shifts.shift(session, one, now + 48 * HOUR)
    shifts.shift(session, three, now - HOUR)  # has not come
    for day in (3, 5, 7):  # one is offered, two are taken already
        offered = swaps.offer(
            session, shifts.shift(session, two, now + day * 24 * HOUR).id, two, now
        )
        if day > 3:
            swaps.take(session, offered.id, one, timedelta(hours=12), now)


def _papers(session: Session, now: datetime) -> None:
    session.flush()
    yesterday = vietnam_day(now) - timedelta(days=1)
    health.enter(session, yesterday, {health.PROVINCE: Figures(2, 1, 9, 2)}, source="Sở Y tế",
                 by="yte", now=now)
    health.approve(session, yesterday, 1, by="giamsat", now=now)
    session.add(ReportRun(day=yesterday))  # whose report the clock sends
    health.enter(session, vietnam_day(now), {health.PROVINCE: Figures(3, 1, 10, 2)},
                 source="Sở Y tế", by="yte", now=now)
    requests.enter(session, kind="correct", number="0912345690", requester="Người dân",
                   checked="gọi lại", secret="of-a-test", by="quantri2", now=now)
    breaches.enter(session, what="Mất một máy tính xách tay", data="số điện thoại", people=3,
                   discovered_at=now, by="quantri2", now=now)
    lost = outbox.write(session, channel=Channel.SMS, recipient="0912345691", now=now,
                        body="Phan anh da duoc giao.", purpose=Purpose.CASE)
    if lost is not None:
        lost.state, lost.error = State.FAILED, "nhà mạng từ chối"


def _cases(session: Session, hotline: Hotline, now: datetime) -> World:
    def opened(summary: str, phone: str, **told: Any) -> Case:
        return life.open_case(session, summary=summary, by="agent1", now=now, phone=phone, **told)

    def handed(summary: str, phone: str, **told: Any) -> Case:
        case = opened(summary, phone, **told)
        life.classify(session, case, "roads", by="dieuphoi", now=now, area=knowledge.WARD)
        life.move(session, case, Status.ASSIGNED, by="dieuphoi", now=now, agency=AGENCY)
        return case

    officers.take_in(session, [
        {"agency": AGENCY, "name": name, "post": post.value, "phone": phone, "email": "",
         "valid_from": "", "valid_to": ""}
        for name, post, phone in (("Cán bộ xử lý", Post.OFFICER, OFFICER),
                                  ("Lãnh đạo", Post.LEADER, "0987000012"),
                                  ("Cán bộ mới", Post.OFFICER, "0987000013"))
    ], now)
    one, two = (session.scalars(select(Officer).where(Officer.phone == phone)).one()
                for phone in (OFFICER, "0987000012"))
    one.login, two.login = "canbo", "lanhdao"
    officers.let_approve(session, one.agency, True, by="dieuphoi", now=now)
    sealed = opened("Người già đau ngực nhiều ngày.", "0912345692", sensitive=True)
    opened("Đèn đường trước trường hỏng một tuần.", "0912345693")
    doubled = opened("Đèn đường trước trường học hỏng.", "0912345693")
    hidden = opened("Rác đổ trộm ở đầu cầu.", "0912345694", identity=Identity.HIDDEN)
    picture = io.BytesIO()
    Image.new("RGB", (40, 40)).save(picture, "PNG")
    attachments.add(
        session, hidden, attachments.take(hotline.home, "rac.png", picture.getvalue()),
        giver=attachments.Giver.CITIZEN, by="agent1", now=now,
    )
    handled = handed("Cống tắc gây mùi hôi ở ngõ.", "0912345695")
    waits = handed("Đường sạt lở sau mưa.", "0912345696")
    drafts.propose(session, waits, "Đã rào chắn, sửa xong trong tuần.", one, now)
    published = handed("Nắp cống vỡ.", "0912345697", public=True)
    unsettled = handed("Ngõ ngập sau mưa.", "0912345698")
    for case in (published, unsettled):
        life.set_answer(session, case, "Đã xử lý xong.", by="canbo", now=now)
        life.move(session, case, Status.RESOLVED, by="canbo", now=now)
    published.satisfaction = dispatch.NOT_CONTENT
    return World(sealed.code, doubled.code, hidden.code, handled.code, waits.code, published.code,
                 unsettled.code)
