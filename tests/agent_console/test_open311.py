"""The Open311 server, asked by our own client, by an independent one, and by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from georeport import GeoReport  # type: ignore[import-untyped]
from werkzeug.serving import make_server

from crm.api.tokens import Scope
from crm.cases import life
from crm.cases.models import Case, Identity, Status
from crm.clock import VIETNAM
from crm.database import Database
from crm.open311 import documents
from crm.open311.client import Client, Open311Error
from crm.open311.documents import DocumentError
from crm.open311.mapping import SERVICES, STATUSES
from crm.open311.models import Open311Request
from crm.open311.register import area_of
from tests.agent_console.programs import token
from tests.crm.cases.factory import HEALTH, with_agencies

JURISDICTION = "thanhhoa.gov.vn"
TOLD = {
    "description": "Đèn đường hỏng, gọi 0912 345 678 hoặc an@example.org",
    "address_string": "12 Lê Lợi, phường Hạc Thành, Thanh Hóa",
}
FORMS = ("json", "xml")


@pytest.fixture
def endpoint(app: Flask) -> Iterator[str]:
    """Our server over real HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/open311/v2"
    server.shutdown()
    thread.join()


def client(endpoint: str, database: Database, form: str = "json") -> Client:
    return Client(endpoint, JURISDICTION, token(database, Scope.OPEN311_WRITE), form)


def case_of(database: Database, number: str | None) -> Case:
    with database.reading() as session:
        found = session.query(Open311Request).filter_by(number=number).one()
        return session.get_one(Case, found.case_id)


def assign(database: Database, number: str | None) -> None:
    with database.transaction() as session:
        with_agencies(session)
        found = session.query(Open311Request).filter_by(number=number).one()
        life.move(session, found.case, Status.ASSIGNED, by="huy", now=datetime.now(UTC),
                   agency=HEALTH)


@pytest.mark.parametrize("form", FORMS)
def test_our_client_and_our_server_understand_each_other(
    endpoint: str, sqlite: Database, form: str
) -> None:
    ours = client(endpoint, sqlite, form)
    assert ours.discovery()["endpoints"][0]["url"] == endpoint
    assert {one.service_code for one in ours.services()} == set(SERVICES)
    defined = ours.definition("roads")
    assert (defined["service_code"], len(defined["attributes"][0]["values"])) == ("roads", 166)
    sent = ours.send("roads", **TOLD, phone="0912345678")
    case = case_of(sqlite, sent.service_request_id)
    assert (case.phone, case.category, case.channel) == ("0912345678", "roads", "open311")
    assert case.code[:4] in (sent.service_notice or "")
    assert case.code != sent.service_request_id
    assign(sqlite, sent.service_request_id)
    (listed,) = ours.requests(status="open", service_code="roads,care")
    assert listed == ours.request(str(sent.service_request_id))
    assert (listed.status, listed.status_notes) == ("open", STATUSES[Status.ASSIGNED].vi)
    assert listed.address == "Phường Hạc Thành"
    assert listed.description == "Đèn đường hỏng, gọi … hoặc …"
    assert ours.requests(status="closed") == []
    assert "0912345678" not in repr(listed)


@pytest.mark.parametrize("form", FORMS)
def test_an_independent_client_understands_our_server(
    endpoint: str, sqlite: Database, form: str
) -> None:
    sent = client(endpoint, sqlite).send("roads", **TOLD)
    client(endpoint, sqlite).send("care", **TOLD)
    theirs = GeoReport(endpoint, jurisdiction=JURISDICTION, output_format=form)
    assert {one["service_code"] for one in theirs.get_service_list()} == set(SERVICES)
    assert theirs.get_service_definition("roads")["service_code"] == "roads"
    assert len(theirs.get_service_requests()) == 2
    one = theirs.get_service_request(str(sent.service_request_id))
    assert (one["service_code"], one["status"]) == ("roads", "open")


def test_every_status_is_open_or_closed_with_its_words(endpoint: str, sqlite: Database) -> None:
    ours = client(endpoint, sqlite)
    number = str(ours.send("roads", **TOLD).service_request_id)
    for status in Status:
        with sqlite.transaction() as session:
            found = session.query(Open311Request).filter_by(number=number).one()
            found.case.status = status
        told = ours.request(number)
        assert (told.status, told.status_notes) == (STATUSES[status].state, STATUSES[status].vi)
        (listed,) = ours.requests(status=str(told.status))
        assert listed.service_request_id == number


@pytest.mark.parametrize("secret", [
    {"identity": Identity.HIDDEN}, {"sensitive": True}, {"category": "officials"},
])
def test_what_is_secret_is_in_no_list(
    endpoint: str, sqlite: Database, secret: dict[str, Any]
) -> None:
    ours = client(endpoint, sqlite)
    number = str(ours.send("roads", **TOLD).service_request_id)
    with sqlite.transaction() as session:
        case = session.query(Open311Request).filter_by(number=number).one().case
        for name, value in secret.items():
            setattr(case, name, value)
    assert ours.requests() == []
    assert ours.requests(service_request_id=number) == []
    for ask in (lambda: ours.request(number), lambda: ours._ask("GET", f"tokens/{number}", {})):
        with pytest.raises(Open311Error, match="404"):
            ask()


def test_cases_that_came_another_way_are_not_in_the_register(
    endpoint: str, sqlite: Database
) -> None:
    with sqlite.transaction() as session:
        life.open_case(session, summary="Gọi điện", by="lan", now=datetime.now(UTC))
    assert client(endpoint, sqlite).requests() == []


def test_nothing_that_nobody_has_read_is_shown(endpoint: str, sqlite: Database) -> None:
    ours = client(endpoint, sqlite)
    number = str(ours.send("roads", **TOLD).service_request_id)
    assert ours.request(number).description is None
    assign(sqlite, number)
    assert ours.request(number).description is not None


def test_times_have_their_zone_and_a_search_spans_90_days(
    endpoint: str, sqlite: Database
) -> None:
    ours = client(endpoint, sqlite)
    number = str(ours.send("roads", **TOLD).service_request_id)
    raw = requests.get(f"{endpoint}/requests/{number}.json", timeout=10).json()
    assert raw[0]["requested_datetime"].endswith("+07:00")
    old = datetime.now(VIETNAM) - timedelta(days=100)
    assert ours.requests(end_date=old.isoformat()) == []
    with sqlite.transaction() as session:
        session.query(Open311Request).one().case.opened_at = old
    assert ours.requests() == []
    assert len(ours.requests(end_date=(old + timedelta(days=1)).isoformat())) == 1
    assert len(ours.requests(start_date=(old - timedelta(days=1)).isoformat())) == 1
    assert len(ours.requests(service_request_id=f"{number},0000000000")) == 1
    with pytest.raises(Open311Error, match="90 days"):
        ours.requests(start_date="2026-01-01T00:00:00Z", end_date="2026-05-01T00:00:00Z")


@pytest.mark.parametrize(("path", "code"), [
    ("services.{}?jurisdiction_id=hanoi", 404), ("services/moon.{}", 404),
    ("services/danger.{}", 404), ("requests.{}?status=lost", 400), ("requests.{}?page=0", 400),
    ("requests.{}?start_date=today", 400), ("requests/0000000000.{}", 404),
    ("tokens/0000000000.{}", 404), ("nothing.{}", 404),
])
@pytest.mark.parametrize("form", FORMS)
def test_errors_are_lists_with_code_and_description(
    app: Flask, path: str, code: int, form: str
) -> None:
    answer = app.test_client().get(f"/open311/v2/{path.format(form)}")
    assert answer.status_code == code
    (error,) = documents.read(answer.data, form)
    assert (int(error["code"]), bool(error["description"])) == (code, True)


@pytest.mark.parametrize(("told", "code"), [
    ({"api_key": ""}, 400), ({"api_key": "hl1022_guess"}, 403), ({"service_code": "moon"}, 404),
    ({"description": ""}, 400), ({"address_string": ""}, 400), ({"lat": "19.8"}, 400),
    ({"lat": "10.8", "long": "106.6"}, 400), ({"lat": "nan", "long": "105.7"}, 400),
    ({"phone": "12"}, 400), ({"attribute[area]": "99999"}, 400),
    ({"description": "a\x00b"}, 400),
])
def test_a_request_that_is_wrong_is_not_taken(
    app: Flask, sqlite: Database, told: dict[str, str], code: int
) -> None:
    good = {"service_code": "roads", "api_key": token(sqlite, Scope.OPEN311_WRITE), **TOLD}
    answer = app.test_client().post("/open311/v2/requests.json", data=good | told)
    assert (answer.status_code, answer.get_json()[0]["code"]) == (code, code)
    with sqlite.reading() as session:
        assert session.query(Case).count() == 0


def test_a_place_is_an_area_an_address_or_a_point(app: Flask, sqlite: Database) -> None:
    key = token(sqlite, Scope.OPEN311_WRITE)
    point = {"lat": "19.8", "long": "105.7"}
    for told, lat in (({"attribute[area]": "14758"}, None), (point, 19.8)):
        given = {"service_code": "roads", "api_key": key, "description": "Ổ gà", **told}
        answer = app.test_client().post("/open311/v2/requests.xml", data=given)
        assert answer.status_code == 201, answer.data
        (receipt,) = documents.read(answer.data, "xml")
        with sqlite.reading() as session:
            made = session.query(Open311Request).filter_by(
                number=receipt["service_request_id"]).one()
            assert made.lat == lat
            assert made.case.area == told.get("attribute[area]")


def test_an_address_names_one_commune_or_none() -> None:
    day = datetime(2026, 3, 10, tzinfo=VIETNAM).date()
    assert area_of("số 3, PHUONG HAC THANH, tỉnh Thanh Hóa", day) is not None
    for vague in ("Hạc Thành", "phường Không Có", "", "xã", "đường Lê Lợi"):
        assert area_of(vague, day) is None


def test_a_key_of_another_scope_sends_nothing(endpoint: str, sqlite: Database) -> None:
    reader = Client(endpoint, api_key=token(sqlite, Scope.CASES_READ))
    with pytest.raises(Open311Error, match="api_key"):
        reader.send("roads", **TOLD)


@pytest.mark.parametrize("hostile", [
    b"", b"<a>", b"{", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
])
def test_hostile_documents_are_one_clear_error(hostile: bytes) -> None:
    for form in FORMS:
        with pytest.raises(DocumentError):
            documents.read(hostile, form)


def test_letters_that_xml_cannot_have_are_left_out() -> None:
    assert documents.read(documents.write("a", {"b": "x\x0by<&>"}, "xml"), "xml") == {"b": "xy<&>"}


def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(Open311Error, match="cannot be reached"):
        Client("http://127.0.0.1:1/open311/v2").services()
