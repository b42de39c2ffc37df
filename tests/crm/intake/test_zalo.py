"""What citizens write to the Zalo account: a case, and what follows it; files from Zalo alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crm import settings as settings_room
from crm.cases import attachments, life
from crm.cases.models import Case, Status
from crm.database import Database
from crm.intake import zalo
from crm.settings import Settings
from tests.crm.cases.factory import NOW
from tests.crm.intake import files

PICTURE = files.picture()


class _Media(BaseHTTPRequestHandler):
    """A stand-in for the hosts on which Zalo keeps pictures."""

    def do_GET(self) -> None:  # the name is the library's
        status, content = {
            "/a": (200, PICTURE), "/program": (200, files.PROGRAM), "/busy": (503, b""),
            "/large": (200, b"\0" * (attachments.LARGEST + 1)), "/away": (302, b""),
        }[self.path]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/a")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            return  # whoever asked has heard enough

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def media() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Media) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path, media: str) -> Settings:
    return settings_room.load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_ZALO_MEDIA_HOSTS": media})


def event(
    text: str = "", *, id: str = "m1", sender: str = "u1", name: str = "user_send_text",
    attached: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """As Zalo's description has it."""
    return {
        "app_id": "123", "event_name": name, "timestamp": "1773111600000",
        "sender": {"id": sender}, "recipient": {"id": "oa"},
        "message": {"msg_id": id, "text": text, "attachments": list(attached)},
    }


def image(address: str) -> dict[str, Any]:
    return {"type": "image", "payload": {"url": address, "thumbnail": address}}


def taken(database: Database, told: dict[str, Any], after: timedelta = timedelta()) -> Case | None:
    with database.transaction() as session:
        return zalo.take_in(session, zalo.parse(told), NOW + after)


def the_case(database: Database) -> Case:
    with database.reading() as session:
        (case,) = life.latest(session, 9)
        return case


def notes(database: Database, case: Case) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(one.what, one.note) for one in life.events_of(session, case)]


def test_a_message_is_a_case_and_what_follows_is_added(database: Database) -> None:
    taken(database, event("Nhà tôi hết gạo"))
    taken(database, event("Nhà tôi hết gạo"))  # the provider repeats it
    where = {"type": "location",
             "payload": {"coordinates": {"latitude": "19.80", "longitude": "105.77"}}}
    taken(database, event(id="m2", name="user_send_location", attached=(where,)))
    case = the_case(database)
    assert (case.channel, case.summary, case.status) == ("zalo", "Nhà tôi hết gạo", "new")
    assert notes(database, case) == [("opened", ""), ("info", "Vị trí: 19.80, 105.77")]


def test_another_person_another_day_or_an_ended_case_make_new_ones(database: Database) -> None:
    first = taken(database, event("một"))
    second = taken(database, event("hai", id="m2", sender="u2"))
    third = taken(database, event("ba", id="m3"), timedelta(days=2))
    with database.transaction() as session:
        session.get_one(Case, third.id if third else 0).status = Status.CLOSED
    fourth = taken(database, event("bốn", id="m4"), timedelta(days=2))
    assert len({one.code for one in (first, second, third, fourth) if one}) == 4


@pytest.mark.parametrize("name", ["follow", "unfollow"])
def test_who_follows_the_account_opens_no_case(database: Database, name: str) -> None:
    told = {"event_name": name, "timestamp": "1", "follower": {"id": "u1"}}
    for _ in range(2):
        assert taken(database, told) is None
    assert taken(database, event("")) is None


@pytest.mark.parametrize("broken", [
    {"event_name": "user_send_text", "timestamp": "1"},
    {"event_name": "follow", "timestamp": "1"},
    event() | {"sender": {}}, event() | {"message": {"text": "x"}},
    event() | {"message": {"msg_id": "1", "text": "a" * 30_000}},
])
def test_what_is_no_event_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        zalo.parse(broken)


def test_a_picture_is_fetched_and_added_once(
    settings: Settings, media: str, database: Database
) -> None:
    picture = event(name="user_send_image", attached=(image(f"http://{media}/a"),))
    taken(database, picture)
    taken(database, picture)
    assert zalo.fetch_files(database, settings, lambda: NOW) == (1, 0)
    assert zalo.fetch_files(database, settings, lambda: NOW) == (0, 0)
    case = the_case(database)
    with database.reading() as session:
        (file,) = attachments.of_case(session, case)
        assert (file.kind, file.by) == ("jpeg", "citizen")


@pytest.mark.parametrize("address", [
    "http://{media}/program", "http://{media}/large", "http://{media}/away",
    "https://evil.example/a", "http://user@{media}.evil.example/a", "file:///etc/passwd",
    "http://[::1", "http://169.254.169.254/latest",
])
def test_what_is_no_picture_of_zalos_is_not_fetched_and_said_so(
    settings: Settings, media: str, sqlite: Database, address: str
) -> None:
    taken(sqlite, event("x", attached=(image(address.format(media=media)),)))
    assert zalo.fetch_files(sqlite, settings, lambda: NOW) == (0, 1)
    assert notes(sqlite, the_case(sqlite))[-1] == ("info", "Có tệp gửi qua Zalo không nhận được")


def test_a_host_that_is_busy_is_asked_again_a_few_times(
    settings: Settings, media: str, sqlite: Database
) -> None:
    taken(sqlite, event("x", attached=(image(f"http://{media}/busy"),)))
    rounds = [zalo.fetch_files(sqlite, settings, lambda: NOW) for _ in range(zalo.TRIES + 1)]
    assert rounds == [(0, 0)] * (zalo.TRIES - 1) + [(0, 1), (0, 0)]
