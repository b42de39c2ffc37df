"""Phone numbers never stand in a log in full."""

import logging

import pytest

from scripts.logs import MaskedFormatter


def logged(text: str) -> str:
    record = logging.LogRecord("x", logging.INFO, "", 0, text, (), None)
    return MaskedFormatter("%(message)s").format(record)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("call from 0912345678 ends", "call from 0***678 ends"),
        ("to +84912345678", "to +84***678"),
        ("PJSIP/0237385224-1", "PJSIP/0***224-1"),
        ("0237 3852246", "0237 3852246"),
        ("call th1.t5k3zq-1763845445.12", "call th1.t5k3zq-1763845445.12"),
        ("02371022 and 1022", "02371022 and 1022"),
    ],
)
def test_masking(said: str, kept: str) -> None:
    assert logged(said) == kept
