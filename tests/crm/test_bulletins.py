"""Bulletins: one is live or none, all are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from crm import bulletins, switches
from crm.bulletins import BulletinError
from crm.database import Database

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)  # 07:30 in Vietnam
ONE, TWO = "a" * 20, "b" * 20


def test_the_newest_that_went_live_is_heard_and_an_older_one_can_come_back(
    database: Database,
) -> None:
    with database.transaction() as session:
        first = bulletins.approve(session, "Không có ca mắc mới.", by="Sở Y tế", now=NOW).id
        second = bulletins.approve(
            session, "Có 12 ca mắc mới.", by="Sở Y tế", now=NOW + timedelta(days=1)
        ).id
        assert bulletins.live(session) is None
        for number, sound in ((first, ONE), (second, TWO)):
            bulletins.go_live(session, number, sound, by="lan", now=NOW)
    with database.transaction() as session:
        there = bulletins.live(session)
        assert there is not None
        assert (there.id, switches.wanted(session, "bulletin")) == (second, TWO)
        bulletins.go_live(session, first, ONE, by="lan", now=NOW)
    with database.transaction() as session:
        assert bulletins.withdraw(session, by="lan", now=NOW).id == first
        assert switches.wanted(session, "bulletin") == "none"
        with pytest.raises(BulletinError, match="no bulletin is live"):
            bulletins.withdraw(session, by="lan", now=NOW)
        assert len(bulletins.latest(session, 9)) == 2
        assert len(bulletins.spoken_texts(session)) == 2


def test_a_bulletin_says_of_when_it_is(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        made = bulletins.approve(session, "  Không có\nca mắc mới. ", by="Sở Y tế", now=NOW)
        assert bulletins.spoken(made) == (
            "Bản tin cập nhật lúc 07:30, ngày 10/03/2026. Không có ca mắc mới."
        )


def test_what_is_refused_says_why(sqlite: Database) -> None:
    with sqlite.transaction() as session:
        for text, by, why in (
            (" ", "Sở Y tế", "1 to 2500 letters"), ("a" * 2501, "Sở Y tế", "1 to 2500 letters"),
            ("Có tin.", " ", "who has approved"),
        ):
            with pytest.raises(BulletinError, match=why):
                bulletins.approve(session, text, by=by, now=NOW)
        with pytest.raises(BulletinError, match="there is no bulletin 7"):
            bulletins.go_live(session, 7, ONE, by="lan", now=NOW)
        with pytest.raises(switches.SwitchError, match="its sound is set"):
            switches.want(session, "bulletin", "../../etc/passwd", by="lan", now=NOW)
