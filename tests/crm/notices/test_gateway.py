"""SMS through a brandname gateway by HTTP, against a stand-in with fields of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm.notices import gateway
from crm.notices.delivery import Outgoing, Undelivered
from crm.settings import Settings, SettingsError
from tests.crm.notices.factory import PHONE, settings
from tests.crm.notices.stand_ins import HttpStandIn, Reply, running


def gateway_settings(home: Path, server: HttpStandIn, **values: str) -> Settings:
    return settings(home, sms_provider="gateway", sms_gateway_url=f"{server.url}/send",
                    sms_sender="UBND 1022", **values)


def outgoing(body: str = "Đã tiếp nhận") -> Outgoing:
    return Outgoing(5, 1, PHONE, "", body, None, {}, True, ())


def test_json_is_filled_in_and_the_key_goes_in_its_header(tmp_path: Path) -> None:
    with running(HttpStandIn()) as server:
        at = gateway_settings(
            tmp_path, server, sms_gateway_auth="Authorization: Bearer abc",
            sms_gateway_body='{"brand": "{sender}", "sms": [{"to": "{to}", "text": "{text}"}],'
                             ' "ref": "n{id}", "dcs": "{coding}", "unicode": false}',
            sms_gateway_success="result.code=0|00", sms_gateway_id="result.ids.0",
        )
        server.answers.append(Reply(200, {"result": {"code": "00", "ids": ["m-1"]}}))
        assert gateway.route(at).send(outgoing()) == "m-1"
    asked, = server.requests
    assert asked.json == {
        "brand": "UBND 1022", "sms": [{"to": "84912345678", "text": "Da tiep nhan"}],
        "ref": "n5", "dcs": "0", "unicode": False,
    }
    assert asked.headers["Authorization"] == "Bearer abc"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_forms_and_queries_go_as_well(tmp_path: Path, method: str) -> None:
    with running(HttpStandIn()) as server:
        at = gateway_settings(
            tmp_path, server, sms_gateway_method=method, sms_gateway_format="form",
            sms_gateway_body="from={sender}&dest={to}&msg={text}", sms_gateway_numbers="0",
            sms_accents="keep",
        )
        assert gateway.route(at).send(outgoing("Mã & số=1")) == "m1"
    asked, = server.requests
    assert asked.method == method
    assert asked.form == {"from": "UBND 1022", "dest": PHONE, "msg": "Mã & số=1"}


def test_a_text_cannot_change_what_is_sent(tmp_path: Path) -> None:
    with running(HttpStandIn()) as server:
        text = '", "to": "84900000000", "x": "{sender} {to}'
        gateway.route(gateway_settings(tmp_path, server)).send(outgoing(text))
    asked, = server.requests
    assert asked.json == {"from": "UBND 1022", "to": "84912345678", "text": text, "id": "5"}


@pytest.mark.parametrize(("reply", "final", "throttled"), [
    (Reply(200, {"code": "99", "id": "1"}), True, False),  # an unknown template, a wrong number
    (Reply(400, {"code": "1"}), True, False),
    (Reply(302, {}), True, False),  # never followed: it would take the key elsewhere
    (Reply(401, {}), False, True),
    (Reply(429, {}, (("Retry-After", "120"),)), False, True),
    (Reply(503, {}), False, False),
    (Reply(200, "<html>maintenance"), False, False),
    (Reply(200, "[1]"), False, False),
])
def test_faults_are_told_apart(
    tmp_path: Path, reply: Reply, final: bool, throttled: bool
) -> None:
    with running(HttpStandIn()) as server:
        server.answers.append(reply)
        at = gateway_settings(tmp_path, server, sms_gateway_success="code=0")
        with pytest.raises(Undelivered) as fault:
            gateway.route(at).send(outgoing())
    assert (fault.value.final, fault.value.throttled) == (final, throttled)
    if reply.status == 429:
        assert fault.value.after is not None
        assert fault.value.after.total_seconds() == 120
    assert PHONE not in str(fault.value)


def test_a_text_that_takes_too_many_parts_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with running(HttpStandIn()) as server:
        at = gateway_settings(tmp_path, server, sms_segments="1")
        with pytest.raises(Undelivered, match="takes 2 parts") as fault:
            gateway.route(at).send(outgoing("x" * 161))
    assert fault.value.final
    assert server.requests == []


@pytest.mark.parametrize(("name", "value"), [
    ("sms_sender", "TWELVELETTER"), ("sms_gateway_url", "http://sms.example.vn/"),
    ("sms_gateway_url", "ftp://127.0.0.1"), ("quiet_hours", "21-7"),
    ("quiet_hours", "21:00-21:00"), ("sms_gateway_secret", "short"), ("sms_provider", "pigeon"),
])
def test_settings_that_cannot_work_are_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings(tmp_path, **{name: value})


def test_a_provider_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sms_provider = smpp needs smpp_server"):
        settings(tmp_path, sms_provider="smpp")
    with pytest.raises(SettingsError, match="is no JSON"):
        gateway.route(settings(
            tmp_path, sms_provider="gateway", sms_sender="UBND",
            sms_gateway_url="https://sms.example.vn/send", sms_gateway_body="{to}",
        ))


@pytest.mark.parametrize(("reply", "unsure"), [
    (Reply(502, {}), True), (Reply(503, {}), False), (Reply(429, {}), False),
    (Reply(200, "no JSON"), True), (Reply(400, {}), False),
])
def test_it_is_known_whether_a_message_may_have_been_taken(
    tmp_path: Path, reply: Reply, unsure: bool
) -> None:
    with running(HttpStandIn()) as server:
        server.answers = [reply]
        with pytest.raises(Undelivered) as caught:
            gateway.route(gateway_settings(tmp_path, server)).send(outgoing())
    assert caught.value.unsure == unsure


def test_what_met_nobody_was_certainly_not_taken(tmp_path: Path) -> None:
    with running(HttpStandIn()) as server:
        route = gateway.route(gateway_settings(tmp_path, server))
    with pytest.raises(Undelivered) as caught:
        route.send(outgoing())
    assert (caught.value.unsure, caught.value.final) == (False, False)
