"""Phone numbers stand in no log in full, as text or as JSON; each line of JSON is an object."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.logs import JsonFormatter, MaskedFormatter


def record(text: str, *words: object) -> logging.LogRecord:
    return logging.LogRecord("up", logging.WARNING, "", 0, text, words, None)


def as_text(text: str) -> str:
    return MaskedFormatter("%(message)s").format(record(text))


def as_json(text: str) -> str:
    message = json.loads(JsonFormatter().format(record(text)))["message"]
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize("logged", [as_text, as_json])
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("call from 0912345678 ends", "call from 0***678 ends"),
        ("to +84912345678", "to +84***678"),
        ("PJSIP/0237385224-1", "PJSIP/0***224-1"),
        ("a line\n0912345678", "a line\n0***678"),
        ("0237 3852246", "0237 3852246"),
        ("call th1.t5k3zq-1763845445.12", "call th1.t5k3zq-1763845445.12"),
        ("to 0084912345678 and 0912345678.", "to 0084***678 and 0***678."),
        ("02371022 and 1022", "02371022 and 1022"),
    ],
)
def test_masking(logged: Callable[[str], str], said: str, kept: str) -> None:
    assert logged(said) == kept


def test_a_line_of_json_says_when_who_what_and_of_which_call() -> None:
    line = json.loads(JsonFormatter().format(record(
        "call %s of %s has no outcome", "th1.t5k3zq-1763845445.12", "0912345678"
    )))
    at = datetime.fromisoformat(line.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert line == {
        "level": "warning", "logger": "up", "call": "th1.t5k3zq-1763845445.12",
        "message": "call th1.t5k3zq-1763845445.12 of 0***678 has no outcome",
    }


@given(st.text())
def test_whatever_is_said_is_one_line_and_one_object(text: str) -> None:
    made = JsonFormatter().format(record("%s", text))
    assert len(made.split("\n")) == 1
    assert json.loads(made)["logger"] == "up"


def run(form: str, program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import logging, threading, warnings\n"
         f"from scripts.logs import configure_logging\nconfigure_logging({form!r})\n{program}"],
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


WRONG = """
warnings.warn("old", DeprecationWarning, stacklevel=1)
warnings.warn("odd", stacklevel=1)
one = threading.Thread(target=lambda: 1 / 0, name="writer"); one.start(); one.join()
raise ValueError("caller 0912345678")
"""


def test_warnings_and_errors_that_nobody_caught_are_objects_too_and_masked() -> None:
    lines = [json.loads(line) for line in run("json", WRONG)]
    assert [(one["logger"], one["level"]) for one in lines[-3:]] == [
        ("py.warnings", "warning"), ("hotline", "error"), ("hotline", "critical"),
    ]
    assert "the thread writer" in lines[-2]["message"]
    assert "ZeroDivisionError" in lines[-2]["error"]
    assert lines[-1]["error"].endswith("ValueError: caller 0***678")


def test_an_error_that_nobody_caught_is_masked_in_plain_logs() -> None:
    assert run("plain", 'raise ValueError("caller 0912345678")')[-1] == "ValueError: caller 0***678"
