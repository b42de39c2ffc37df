"""SMS over SMPP against a stand-in SMSC."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from crm.database import Database
from crm.notices import optout, routes
from crm.notices.delivery import Delivered, Outgoing, Undelivered
from crm.notices.models import State
from crm.notices.smpp import Inbox, Smpp
from crm.settings import Settings
from scripts.scheduler import Jobs
from tests.crm.notices.factory import NOON, PHONE, all_of, deliver, only, settings, written
from tests.crm.notices.smsc_stand_in import BAD_NUMBER, THROTTLED, Smsc

LONG = "Da tiep nhan. " * 15  # 210 letters: two parts


def smpp_settings(home: Path, address: str, **values: str) -> Settings:
    return settings(home, sms_provider="smpp", smpp_server=address, smpp_user="ubnd",
                    smpp_password="secret", sms_sender="UBND 1022", **values)


def outgoing(body: str, recipient: str = PHONE) -> Outgoing:
    return Outgoing(7, 1, recipient, "", body, None, {}, True, ())


def quiet_inbox() -> Inbox:
    return Inbox(lambda receipt: None, lambda number, text: None)


def link_of(database: Database, at: Settings) -> Smpp:
    link = routes.smpp_link(at, database, lambda: NOON)
    assert link is not None
    return link


def attend_until(link: Smpp, done: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not done():
        assert time.monotonic() < until
        link.attend()
        time.sleep(0.01)


def test_a_message_is_submitted_and_its_report_ends_it(
    database: Database, tmp_path: Path
) -> None:
    with Smsc() as smsc:
        link = link_of(database, smpp_settings(tmp_path, smsc.address))
        written(database, body="Đã tiếp nhận phản ánh")
        assert deliver(database, link.route()) == Delivered(1, 0)
        sent, = smsc.submitted
        assert (sent.source, sent.destination) == ("UBND 1022", "84912345678")
        assert (sent.octets, sent.coding, sent.registered) == (b"Da tiep nhan phan anh", 0, 1)
        assert only(database).state == State.SENT
        smsc.deliver("id:id1 sub:001 dlvrd:001 submit date:2611011200 done date:2611011200 "
                     "stat:DELIVRD err:000 text:", esm_class=4)
        attend_until(link, lambda: only(database).state == State.DELIVERED)
        smsc.wait_for("answered", 1)
        smsc.deliver("id:id1 stat:UNDELIV err:001 text:", esm_class=4)  # late: changes nothing
        attend_until(link, lambda: len(smsc.answered) == 2)
        assert only(database).state == State.DELIVERED
        link.close()


def test_a_report_of_failure_fails_the_notice(sqlite: Database, tmp_path: Path) -> None:
    with Smsc() as smsc:
        link = link_of(sqlite, smpp_settings(tmp_path, smsc.address))
        written(sqlite)
        deliver(sqlite, link.route())
        smsc.deliver("id:id1 stat:ENROUTE err:000 text:", esm_class=4)  # not the last word
        smsc.deliver("id:id1 stat:UNDELIV err:034 text:", esm_class=4)
        attend_until(link, lambda: only(sqlite).state == State.FAILED)
        assert only(sqlite).error == "smpp: UNDELIV 034"
        link.close()


@pytest.mark.parametrize(("text", "coding"), [("STOP", 0), ("Từ chối", 8)])
def test_a_reply_opts_out_and_is_confirmed_once(
    sqlite: Database, tmp_path: Path, text: str, coding: int
) -> None:
    with Smsc() as smsc:
        link = link_of(sqlite, smpp_settings(tmp_path, smsc.address))
        link.attend()
        for _ in range(2):
            smsc.deliver(text, coding=coding)
        attend_until(link, lambda: len(smsc.answered) == 2)
        confirmation = only(sqlite)
        assert confirmation.body == optout.CONFIRMED
        deliver(sqlite, link.route())
        assert len(smsc.submitted) == 1  # the confirmation itself goes out
        link.close()


def test_the_scheduler_sends_and_takes_in_over_one_connection(
    sqlite: Database, tmp_path: Path
) -> None:
    with Smsc() as smsc:
        jobs = Jobs(smpp_settings(tmp_path, smsc.address), sqlite, Event(), lambda: NOON)
        written(sqlite)
        jobs.send_notices()
        smsc.deliver("id:id1 stat:DELIVRD err:000 text:", esm_class=4)
        smsc.wait_for("submitted", 1)
        until = time.monotonic() + 5
        while only(sqlite).state != State.DELIVERED and time.monotonic() < until:
            jobs.attend_notices()
        assert only(sqlite).state == State.DELIVERED
        assert smsc.binds == 1
        jobs.close()


def test_long_messages_go_in_parts_with_a_header(tmp_path: Path) -> None:
    with Smsc() as smsc:
        link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
        assert link.send(outgoing(LONG)) == "id2"  # the last part's, the one that is reported on
        first, second = smsc.submitted
        assert first.octets[:6] == bytes((5, 0, 3, 7, 2, 1))
        assert second.octets[:6] == bytes((5, 0, 3, 7, 2, 2))
        assert (first.octets[6:] + second.octets[6:]).decode() == LONG
        assert {one.esm_class for one in smsc.submitted} == {0x40}
        assert [one.registered for one in smsc.submitted] == [0, 1]
        link.close()


def test_a_long_message_of_which_a_part_has_gone_may_have_been_taken(tmp_path: Path) -> None:
    for statuses, unsure in (([THROTTLED], False), ([0, THROTTLED], True)):
        with Smsc() as smsc:
            link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
            smsc.statuses = list(statuses)
            with pytest.raises(Undelivered) as caught:
                link.send(outgoing(LONG))
            link.close()
        assert (caught.value.unsure, caught.value.final) == (unsure, False)


def test_long_messages_go_whole_where_the_smsc_cuts_them(tmp_path: Path) -> None:
    with Smsc() as smsc:
        at = smpp_settings(tmp_path, smsc.address, smpp_long="payload", sms_accents="keep")
        link = Smpp(at, quiet_inbox())
        text = "Đã tiếp nhận. " * 8
        link.send(outgoing(text))
        sent, = smsc.submitted
        assert (sent.octets.decode("utf-16-be"), sent.coding, sent.esm_class) == (text, 8, 0)
        link.close()


def test_a_busy_smsc_is_left_alone_for_the_round(sqlite: Database, tmp_path: Path) -> None:
    with Smsc() as smsc:
        link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
        smsc.statuses.append(THROTTLED)
        written(sqlite)
        written(sqlite)
        assert deliver(sqlite, link.route()) == Delivered(sent=0, failed=1)
        assert [one.state for one in all_of(sqlite)] == [State.WAITING, State.WAITING]
        link.close()


def test_a_number_that_the_smsc_refuses_is_refused_for_good(tmp_path: Path) -> None:
    with Smsc() as smsc:
        link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
        smsc.statuses.append(BAD_NUMBER)
        with pytest.raises(Undelivered) as refused:
            link.send(outgoing("x"))
        assert refused.value.final
        link.close()


def test_a_lost_connection_is_made_again_after_a_pause(tmp_path: Path) -> None:
    with Smsc() as smsc:
        link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
        link.send(outgoing("one"))
        smsc.cut()
        with pytest.raises(Undelivered) as lost:
            link.send(outgoing("two"))
        assert not lost.value.final
        with pytest.raises(Undelivered, match="just now"):  # not at once again
            link.send(outgoing("two"))
        time.sleep(1.05)
        link.send(outgoing("two"))
        assert [one.octets for one in smsc.submitted] == [b"one", b"two"]
        assert smsc.binds == 2
        link.close()


def test_a_wrong_password_is_a_passing_fault_that_names_itself(tmp_path: Path) -> None:
    with Smsc(password="another") as smsc:
        link = Smpp(smpp_settings(tmp_path, smsc.address), quiet_inbox())
        with pytest.raises(Undelivered, match="cannot be reached") as refused:
            link.send(outgoing("x"))
        assert not refused.value.final
        assert "secret" not in str(refused.value)
        link.close()


def test_a_silent_connection_is_asked_and_given_up_when_it_does_not_answer(
    tmp_path: Path
) -> None:
    with Smsc() as smsc:
        link = Smpp(
            smpp_settings(tmp_path, smsc.address), quiet_inbox(), idle_s=0.05, timeout_s=0.2
        )
        link.attend()
        time.sleep(0.1)
        link.attend()
        smsc.wait_for("enquiries", 1)
        attend_until(link, lambda: smsc.enquiries >= 2)  # it answered, and is asked again
        smsc.mute = True
        attend_until(link, lambda: smsc.ends == 1)  # given up
        smsc.mute = False
        attend_until(link, lambda: smsc.binds == 2)
        link.close()
