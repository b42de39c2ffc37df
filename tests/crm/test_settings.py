"""Settings: where each comes from, and one clear sentence for each thing that is wrong."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from pathlib import Path

import pytest

from crm.setting_values import Address, Expert
from crm.settings import (
    PROJECT,
    Settings,
    SettingsError,
    described,
    load,
    retired,
    unknown_variables,
)


def written(home: Path, text: str) -> dict[str, str]:
    """An environment whose state folder holds this file."""
    (home / "hotline.toml").write_text(text, encoding="utf-8")
    return {"HOTLINE_HOME": str(home)}


def test_everything_has_a_default() -> None:
    settings = load({"HOTLINE_CONFIG": "/dev/null"})
    assert settings.home == PROJECT / "var"
    assert settings.database_url == f"sqlite:///{PROJECT}/var/hotline.db"
    assert settings.cache == PROJECT / "var" / "cache"
    assert settings.sip_bind == Address("127.0.0.1", 5060)
    assert settings.trunk_match == ("127.0.0.2/32",)
    assert "1022" in settings.numbers
    assert settings.trunk_user is None
    assert set(settings.sources.values()) == {"default"}


def test_what_is_made_while_running_lies_in_the_state_folder(tmp_path: Path) -> None:
    settings = load({"HOTLINE_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.database_url == f"sqlite:///{tmp_path}/hotline.db"
    assert settings.recordings == tmp_path / "recordings-vi"


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path,
) -> None:
    environ = written(tmp_path, 'node = "th2"\ncapacity = 50\nnumbers = ["1022", "+842371022"]\n')
    settings = load({**environ, "HOTLINE_CAPACITY": "70", "HOTLINE_ALARM_PHONES": "113, 114"})
    assert (settings.node, settings.capacity, settings.ring_s) == ("th2", 70, 20)
    assert settings.numbers == ("1022", "+842371022")
    assert settings.alarm_phones == ("113", "114")
    assert settings.sources["node"] == str(tmp_path / "hotline.toml")
    assert settings.sources["capacity"] == "HOTLINE_CAPACITY"
    assert settings.sources["ring_s"] == "default"


def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    environ = {**written(tmp_path, ""), "HOTLINE_CAPASITY": "9", "HOTLINE_PYTHON": "python3.12"}
    assert load(environ).capacity == 1000
    assert unknown_variables(environ) == ["HOTLINE_CAPASITY"]


def test_a_setting_of_an_earlier_version_stops_no_start_and_is_named(tmp_path: Path) -> None:
    environ = written(tmp_path, 'node = "th2"\nservice_daily_recipients = ["ca@example.vn"]\n')
    assert load(environ).node == "th2"
    assert retired(environ) == [
        f"{tmp_path / 'hotline.toml'}: service_daily_recipients is no setting any more: enter the "
        "addresses on the page Reports by e-mail (/reports/by-mail)"
    ]


def test_an_empty_variable_switches_an_optional_setting_off(tmp_path: Path) -> None:
    environ = written(tmp_path, 'trunk_server = "sip.example.vn"\nemergency_medical = ["115"]\n')
    settings = load({**environ, "HOTLINE_TRUNK_SERVER": "", "HOTLINE_EMERGENCY_MEDICAL": ""})
    assert (settings.trunk_server, settings.emergency_medical) == (None, ())


def test_another_file_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('node = "th3"\n')
    assert load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_CONFIG": str(file)}).node == "th3"
    with pytest.raises(SettingsError, match=r"nowhere\.toml does not exist"):
        load({"HOTLINE_CONFIG": str(tmp_path / "nowhere.toml")})


@pytest.mark.parametrize(("name", "value", "sentence"), [
    ("node", "TH 1", "must be a short name such as th1"),
    ("sip_bind", "5060", r"must be IPV4ADDRESS:PORT, as in 127\.0\.0\.1:5060"),
    ("sip_bind", "127.0.0.1:0", "must be IPV4ADDRESS:PORT"),
    ("sip_bind", "localhost:5060", "must be IPV4ADDRESS:PORT"),
    ("ami_bind", "0.0.0.0:5038", "is not encrypted and must be an address of this machine alone"),
    ("ami_bind", "10.0.0.4:5038", "is not encrypted and must be an address of this machine alone"),
    ("media_address", "1.2.3.4\n5", "must be an IPv4 address"),
    ("rtp_ports", "20000-10000", "must be FIRST-LAST, as in 10000-20000"),
    ("capacity", "many", "must be a whole number from 1 to 20000"),
    ("capacity", "0", "must be a whole number from 1 to 20000"),
    ("capacity", "1.5", "must be a whole number from 1 to 20000"),
    ("numbers", "1022,ten", "must be a phone number of digits"),
    ("trunk_match", "203.0.113.7/24", "must be IPv4 addresses or networks"),
    ("trunk_server", "sip.example.vn;x", "must be HOST or HOST:PORT"),
    ("trunk2_server", "sip.example.vn:70000", "must be HOST or HOST:PORT"),
    ("experts", "bs.an 115", "must be NAME NUMBER"),
    ("experts", "bs.an 0912000951 mon-fri 7-17", "must be NAME NUMBER"),
    ("queue_limits", "dentist 3", "must be a number, or QUEUE NUMBER"),
    ("voice", "siri", "must be espeak, gtts or piper"),
    ("cache", "", "must be a path"),
])
def test_a_wrong_value_is_named_with_its_place(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    variable = f"HOTLINE_{name.upper()}"
    with pytest.raises(SettingsError, match=f"^{variable}: {name} = .*: {sentence}"):
        load({"HOTLINE_HOME": str(tmp_path), variable: value})


@pytest.mark.parametrize(("line", "sentence"), [
    ("capcity = 5", "hotline.toml: unknown setting capcity"),
    ("[trunk]\nserver = 'x'", "hotline.toml: unknown setting trunk"),
    ("home = '/srv'", "hotline.toml: home is set by HOTLINE_HOME, not in the file"),
    ("capacity = true", r"hotline.toml: capacity = True: must be a whole number"),
    ("numbers = 1022", r"hotline.toml: numbers = 1022: must be a list"),
    ("node = 7", "hotline.toml: node = 7: must be a text of one line"),
    ("node = ", "hotline.toml cannot be read"),
])
def test_a_wrong_file_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(written(tmp_path, line))


@pytest.mark.parametrize("home", ["", "a\nb"])
def test_a_wrong_state_folder_is_named(home: str) -> None:
    with pytest.raises(SettingsError, match=r"^HOTLINE_HOME: must be"):
        load({"HOTLINE_HOME": home})


@pytest.mark.parametrize(("line", "sentence"), [
    ("tls_key = 'key.pem'", "tls_certificate and tls_key go together"),
    ("trunk_user = 'hotline'", "trunk_user needs trunk_server and trunk_password"),
    ("voice = 'piper'", "piper needs piper_voice"),
])
def test_settings_that_need_each_other(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(written(tmp_path, line))


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    settings = load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_TWILIO_TOKEN": "s3cret-token",
        "HOTLINE_DATABASE_URL": "postgresql://u:s3cret-pass@127.0.0.1/h",
    })
    assert "s3cret" not in str(described(settings))
    with pytest.raises(SettingsError) as caught:
        load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_TRUNK_PASSWORD": "s3cret pass"})
    assert "s3cret" not in str(caught.value)


def test_each_setting_is_described_as_it_would_be_written(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in described(load({"HOTLINE_HOME": str(tmp_path)}))}
    assert set(rows) == {item.name for item in fields(Settings)} - {"sources"}
    assert rows["rtp_ports"]["value"] == "10000-20000"
    assert rows["numbers"]["value"].startswith("1022,02371022,")
    environ = {
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_QUEUE_LIMITS": "300,vaccine 40",
        "HOTLINE_EXPERTS": "bs.an 0912000951 mon-fri 07:00-17:00,bs.binh 0912000952",
    }
    told = {row["name"]: row["value"] for row in described(load(environ))}
    assert told["queue_limits"] == environ["HOTLINE_QUEUE_LIMITS"]
    assert told["experts"] == environ["HOTLINE_EXPERTS"]
    limits = load(environ).queue_limit
    assert (limits("vaccine"), limits("advice")) == (40, 300)
    assert rows["sip_bind"] == {
        "name": "sip_bind", "value": "127.0.0.1:5060", "source": "default",
        "doc": "SIP over UDP: trunk and desk phones",
    }
    assert all(row["doc"] for row in rows.values())


def test_an_address_knows_whether_it_is_only_for_this_machine() -> None:
    assert Address("127.0.0.2", 1).is_loopback
    assert not Address("0.0.0.0", 1).is_loopback  # noqa: S104


def test_calls_of_broadcasts_leave_half_of_the_channels_for_calls_back(tmp_path: Path) -> None:
    def legs(**values: str) -> int:
        given = {f"HOTLINE_{name.upper()}": value for name, value in values.items()}
        return load({"HOTLINE_HOME": str(tmp_path), **given}).broadcast_legs

    assert legs() == 4
    assert legs(trunk_channels="100") == 2
    assert legs(trunk_channels="400", broadcast_channels="50") == 10
    assert legs(trunk_channels="8") == 1


def test_emergency_numbers_that_nobody_has_tried_of_late_are_named(tmp_path: Path) -> None:
    read = load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_EMERGENCY_MEDICAL": "02373852115",
        "HOTLINE_EMERGENCY_CHECKED": "115 2026-05-01 Trung tâm Cấp cứu, 111 2025-01-01 ai đó",
    })
    assert read.unchecked(date(2026, 5, 4)) == ["111", "19009095"]
    assert read.unchecked(date(2027, 5, 4)) == ["115", "111", "19009095"]
    for wrong in ("115", "115 2026-13-01 Ai đó", "115 2026-01-01"):
        with pytest.raises(SettingsError):
            load({"HOTLINE_HOME": str(tmp_path), "HOTLINE_EMERGENCY_CHECKED": wrong})


@pytest.mark.parametrize(("days", "times", "on", "off"), [
    ("", "", ("2026-05-04 03:00", "2026-05-10 23:59"), ()),
    ("mon-fri", "07:00-17:00", ("2026-05-04 07:00", "2026-05-08 17:00"),
     ("2026-05-04 06:59", "2026-05-04 17:01", "2026-05-09 10:00")),
    ("sat-mon", "07:00-17:00", ("2026-05-09 10:00", "2026-05-10 10:00", "2026-05-11 10:00"),
     ("2026-05-08 10:00", "2026-05-12 10:00")),
    ("wed", "20:00-06:00", ("2026-05-06 23:00", "2026-05-06 05:00"),
     ("2026-05-06 12:00", "2026-05-07 05:00")),
])
def test_when_a_doctor_is_on_duty(
    days: str, times: str, on: tuple[str, ...], off: tuple[str, ...]
) -> None:
    doctor = Expert("bs.an", "0912000951", days, times)
    assert all(doctor.is_on_duty(datetime.fromisoformat(one)) for one in on)
    assert not any(doctor.is_on_duty(datetime.fromisoformat(one)) for one in off)
