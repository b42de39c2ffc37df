"""The generated secrets: made once, made anew, and told apart from those that were."""

from __future__ import annotations

from pathlib import Path

from crm import secrets

PHONES = ["seat-001", "seat-002"]


def test_what_is_rotated_is_new_and_the_rest_stays(tmp_path: Path) -> None:
    before = secrets.ensure(tmp_path, PHONES)
    made = secrets.rotate(tmp_path, ["seat-001", "web_key"])
    assert made == secrets.load(tmp_path) == secrets.ensure(tmp_path, PHONES)
    assert made.phones["seat-001"] != before.phones["seat-001"]
    assert made.web_key != before.web_key
    assert made.phones["seat-002"] == before.phones["seat-002"]
    assert (made.privacy_key, made.journal_key, made.field_keys) == (
        before.privacy_key, before.journal_key, before.field_keys
    )
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_an_old_text_is_read_with_the_secrets_of_today(tmp_path: Path) -> None:
    first = secrets.ensure(tmp_path, PHONES)
    text = f"password = {first.phones['seat-001']}\nsecret = {first.ami_events}\n"
    secrets.rotate(tmp_path, ["seat-001"])
    made = secrets.rotate(tmp_path, ["seat-001", "ami_events"])
    assert made.in_place_of_former(text) == (
        f"password = {made.phones['seat-001']}\nsecret = {made.ami_events}\n"
    )


def test_a_rotation_that_came_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    before = secrets.ensure(tmp_path, PHONES)
    secrets.rotate(tmp_path, ["seat-002", "web_phone"])
    secrets.put_back(tmp_path, before, ["seat-002", "web_phone"])
    assert secrets.load(tmp_path) == before
