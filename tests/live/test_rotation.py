"""Secrets are made anew while people talk, and none of them stands in a log."""

from __future__ import annotations

import asyncio
import re

from sqlalchemy import select

from crm.models import Seat
from ivr import provision
from tests.live.people import Console, citizen, until_heard
from tests.live.running import PATIENCE_S, Hotline


def test_free_seats_get_new_secrets_and_a_call_goes_on(hotline: Hotline) -> None:
    agent = Console(hotline, "agent1")
    held = agent.ask("POST", "/agent/phone", {"kind": "webrtc"})["phone"]["seat"]
    before = hotline.secrets

    async def scenario() -> None:
        async with citizen(hotline, "0912000731") as phone:
            call = await phone.call("1022")
            assert await call.answered(PATIENCE_S)
            await until_heard(call, hotline, "greeting_main")
            done = await asyncio.to_thread(hotline.run, "secrets", "rotate")
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"as before: {held} (somebody is signed in there" in done.stdout
            assert "as before: ami_events (stop the hotline" in done.stdout
            assert call.sip_code == 200
            assert not await call.ended(0.2), "the call goes on"
            await call.hang_up()

    asyncio.run(scenario())
    made = hotline.secrets
    changed = {name for name in made.phones if made.phones[name] != before.phones[name]}
    assert changed == {name for name in made.phones if name.startswith("seat-")} - {held}
    assert (made.ami_events, made.console_key) == (before.ami_events, before.console_key)
    written = (provision.etc(hotline.home) / "pjsip.conf").read_text(encoding="utf-8")
    assert all(made.phones[name] in written for name in made.phones)
    with hotline.database.reading() as session:
        rows = {seat.name: seat.secret for seat in session.scalars(select(Seat))}
    assert rows == made.phones
    assert hotline.call_of("0912000731")["outcome"]


def test_no_secret_and_no_password_stands_in_a_log(hotline: Hotline) -> None:
    made = hotline.secrets
    values = {
        made.ami_events, made.ami_command, made.console_key, made.privacy_key, made.journal_key,
        made.web_phone, made.web_key, *made.phones.values(), *made.former,
        *(one.key for one in made.field_keys),
        *(hotline.password(login) for login in ("admin", "truongca", "agent1")),
    }
    logs = [hotline.log, *(
        file for folder in ("log", "asterisk/log", "journal") for file in
        (hotline.home / folder).rglob("*") if file.is_file()
    )]
    assert any(file.name == "messages.log" for file in logs)
    for file in logs:
        text = file.read_text(encoding="utf-8", errors="replace")
        assert not [value[:4] for value in values if value and value in text], file
        assert not re.search(r"postgresql://\w+:[^*\s]+@", text), file
