"""The local authority: made once, its server certificate renewed, the operator's left alone."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm import settings as configuration
from crm.settings import Settings
from ivr import tls
from ivr.doctor import FAILURE, OK, WARNING, machine
from tests.ivr.patients import patient

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def settings(home: Path, **more: str) -> Settings:
    (home / "tls").mkdir(exist_ok=True)
    return configuration.load({
        "HOTLINE_HOME": str(home), "HOTLINE_CONSOLE_BIND": "192.0.2.5:8022", **more
    })


def test_off_the_loopback_a_certificate_is_made_that_the_local_authority_vouches_for(
    tmp_path: Path,
) -> None:
    at = settings(tmp_path)
    tls.ensure(at, ["hotline.example", "192.0.2.5"], NOW)
    certificate, key = tls.files(at)
    context = ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.crt"))
    context.load_cert_chain(certificate, key)
    assert key.stat().st_mode & 0o077 == 0
    assert (tmp_path / "tls" / "ca.key").stat().st_mode & 0o077 == 0
    assert tls.expires_at(certificate) - NOW <= timedelta(days=398)


def test_it_is_kept_until_near_its_end_and_the_authority_stays(tmp_path: Path) -> None:
    at = settings(tmp_path)
    tls.ensure(at, ["hotline.example"], NOW)
    first, authority = tls.files(at)[0].read_bytes(), (tmp_path / "tls/ca.crt").read_bytes()
    tls.ensure(at, ["hotline.example"], NOW + timedelta(days=300))
    assert tls.files(at)[0].read_bytes() == first
    tls.ensure(at, ["hotline.example"], NOW + timedelta(days=380))
    assert tls.files(at)[0].read_bytes() != first
    assert (tmp_path / "tls/ca.crt").read_bytes() == authority


def test_another_name_of_the_host_makes_another_certificate(tmp_path: Path) -> None:
    at = settings(tmp_path)
    tls.ensure(at, ["one.example"], NOW)
    first = tls.files(at)[0].read_bytes()
    tls.ensure(at, ["one.example", "two.example"], NOW)
    assert tls.files(at)[0].read_bytes() != first


def test_on_the_loopback_and_with_the_operators_own_nothing_is_made(tmp_path: Path) -> None:
    tls.ensure(configuration.load({"HOTLINE_HOME": str(tmp_path)}), ["x"], NOW)
    own = {"HOTLINE_TLS_CERTIFICATE": str(tmp_path / "own.crt"),
           "HOTLINE_TLS_KEY": str(tmp_path / "own.key")}
    at = settings(tmp_path, **own)
    tls.ensure(at, ["x"], NOW)
    assert not list((tmp_path / "tls").iterdir())
    assert tls.files(at) == (tmp_path / "own.crt", tmp_path / "own.key")


@pytest.mark.parametrize(("days", "status", "says"), [
    (30, OK, "valid for 30 days"), (9, WARNING, "ends in 9 days"),
    (1, FAILURE, "ends in 1 days"), (-1, FAILURE, "ended"),
])
def test_the_doctor_warns_of_a_certificate_near_its_end_and_fails_in_its_last_days(
    tmp_path: Path, days: int, status: str, says: str
) -> None:
    at = settings(tmp_path)
    made = datetime.now(UTC) - tls.SERVER_LIFE + timedelta(days=days, hours=1)
    tls.ensure(at, ["hotline.example"], made)
    [found] = machine.certificate(patient(at))
    assert (found.status, found.detail.startswith(says)) == (status, True)
    own = settings(tmp_path, HOTLINE_TLS_CERTIFICATE=str(tls.files(at)[0]),
                   HOTLINE_TLS_KEY=str(tls.files(at)[1]))
    [found] = machine.certificate(patient(own))
    assert found.status == status
    assert status == OK or found.cure == f"bring the next one to {own.tls_certificate}"
