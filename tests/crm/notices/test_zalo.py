"""Messages by template through Zalo, against a stand-in written from public descriptions."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm.database import Database
from crm.notices import zalo
from crm.notices.delivery import Outgoing, Route, Undelivered
from crm.notices.models import ZaloTokens
from crm.settings import Settings
from tests.crm.notices.factory import NOON, PHONE, settings
from tests.crm.notices.stand_ins import HttpStandIn, Reply, Request, running

DAY = 90_000


class ZaloStandIn(HttpStandIn):
    """Renews tokens, each refresh token being good for once, and takes messages."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.errors: list[int] = []  # of the next messages
        self.messages: list[Request] = []

    def usual(self, request: Request) -> Reply:
        if request.path == "/v4/oa/access_token":
            if request.form["refresh_token"] != f"refresh{self.number}":
                return Reply(200, {"error": -14014, "error_name": "Invalid refresh token."})
            self.number += 1
            return Reply(200, {
                "access_token": f"access{self.number}", "refresh_token": f"refresh{self.number}",
                "expires_in": str(DAY),
            })
        if request.headers["access_token"] != f"access{self.number}":
            return Reply(200, {"error": -124, "message": "Access token invalid"})
        if self.errors:
            return Reply(200, {"error": self.errors.pop(0), "message": "no"})
        self.messages.append(request)
        return Reply(200, {"error": 0, "message": "Success", "data": {"msg_id": "m"}})


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def zalo_settings(home: Path, server: HttpStandIn, **values: str) -> Settings:
    return settings(home, zalo_app="123", zalo_app_secret="app", zalo_oa_secret="oa",
                    zalo_refresh_token=values.pop("first", "refresh0"), zalo_url=server.url,
                    zalo_login_url=server.url, **values)


def outgoing(template: str | None = "7895") -> Outgoing:
    return Outgoing(9, 1, PHONE, "", "Đã tiếp nhận", template, {"ma": "48302915"}, True, ())


def test_a_message_goes_by_template_with_its_tracking_id(
    database: Database, tmp_path: Path
) -> None:
    with running(ZaloStandIn()) as server:
        route = zalo.route(zalo_settings(tmp_path, server), database, Clock())
        assert route.send(outgoing()) == "9"
        assert route.send(outgoing()) == "9"
    assert server.number == 1  # one renewal serves for a day
    assert server.messages[0].json == {
        "phone": "84912345678", "template_id": "7895", "template_data": {"ma": "48302915"},
        "tracking_id": "9", "mode": "development",
    }


def test_in_production_nothing_says_development(sqlite: Database, tmp_path: Path) -> None:
    with running(ZaloStandIn()) as server:
        at = zalo_settings(tmp_path, server, zalo_mode="production")
        zalo.route(at, sqlite, Clock()).send(outgoing())
    assert "mode" not in server.messages[0].json


def test_tokens_are_renewed_before_they_expire_and_kept_for_the_next_start(
    sqlite: Database, tmp_path: Path
) -> None:
    clock = Clock()
    with running(ZaloStandIn()) as server:
        zalo.route(zalo_settings(tmp_path, server), sqlite, clock).send(outgoing())
        clock.now += timedelta(seconds=DAY - 300)
        restarted = zalo.route(zalo_settings(tmp_path, server), sqlite, clock)
        restarted.send(outgoing())  # refresh0 is used up: only refresh1 can have done this
    assert server.number == 2
    with sqlite.reading() as session:
        kept = session.get_one(ZaloTokens, 1)
    assert (kept.access, kept.refresh) == ("access2", "refresh2")


def test_a_token_that_zalo_refuses_is_renewed_at_once(sqlite: Database, tmp_path: Path) -> None:
    with running(ZaloStandIn()) as server:
        route = zalo.route(zalo_settings(tmp_path, server), sqlite, Clock())
        route.send(outgoing())
        with sqlite.transaction() as session:
            session.execute(update(ZaloTokens).values(access="revoked"))
        route.send(outgoing())
    assert server.number == 2
    assert len(server.messages) == 2


def test_a_refresh_token_that_is_used_up_asks_for_another_one(
    sqlite: Database, tmp_path: Path
) -> None:
    clock = Clock()
    with running(ZaloStandIn()) as server:
        used = zalo.route(zalo_settings(tmp_path, server, first="stolen"), sqlite, clock)
        with pytest.raises(Undelivered, match="set zalo_refresh_token anew") as fault:
            used.send(outgoing())
        assert not fault.value.final
        assert "stolen" not in str(fault.value)
        set_anew = zalo.route(zalo_settings(tmp_path, server, first="refresh0"), sqlite, clock)
        assert set_anew.send(outgoing()) == "9"


def test_two_workers_do_not_renew_at_once(sqlite: Database, tmp_path: Path) -> None:
    with running(ZaloStandIn()) as server:
        at = zalo_settings(tmp_path, server)
        second: Route = zalo.route(at, sqlite, Clock())
        seen: list[Undelivered] = []
        usual = server.usual

        def meanwhile(request: Request) -> Reply:
            if request.path == "/v4/oa/access_token":
                with pytest.raises(Undelivered, match="being renewed") as fault:
                    second.send(outgoing())
                seen.append(fault.value)
            return usual(request)

        server.usual = meanwhile  # type: ignore[method-assign]
        zalo.route(at, sqlite, Clock()).send(outgoing())
    assert not seen[0].final
    assert server.number == 1


@pytest.mark.parametrize(("error", "final", "throttled"), [
    (-109, True, False),  # no such template
    (-132, True, False),  # its parameters are wrong
    (-118, True, False),  # no account on Zalo
    (-144, False, True),  # the quota of the day
    (-133, False, False),  # not at night
])
def test_faults_are_told_apart(
    sqlite: Database, tmp_path: Path, error: int, final: bool, throttled: bool
) -> None:
    with running(ZaloStandIn()) as server:
        server.errors.append(error)
        with pytest.raises(Undelivered, match=str(error)) as fault:
            zalo.route(zalo_settings(tmp_path, server), sqlite, Clock()).send(outgoing())
    assert (fault.value.final, fault.value.throttled) == (final, throttled)


def test_without_a_template_nothing_goes(sqlite: Database, tmp_path: Path) -> None:
    with running(ZaloStandIn()) as server:
        route = zalo.route(zalo_settings(tmp_path, server), sqlite, Clock())
        with pytest.raises(Undelivered, match="template") as fault:
            route.send(outgoing(None))
        assert server.requests == []
    assert fault.value.final
