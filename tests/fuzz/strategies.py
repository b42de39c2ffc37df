"""What nobody would send in good faith, and how much of it is tried."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

# How many examples: a few in every run, many in the long one
FEW_AND_MANY = pytest.mark.parametrize(
    "examples", [15, pytest.param(1500, marks=pytest.mark.full)], ids=["few", "many"]
)

NASTY = (
    "", " ", "\0", "a\0b", "\x85", "\u2028", "\u202e", "\ud800", "\ufffe", "𝟘" * 40, "é" * 300,
    "x" * 70_000, "-1", "0", "1e309", "nan", "9" * 30, "2147483648",
    "9" * 5000, "-" + "9" * 20, "0x10", "１２３", "²", "٣",
    "2026-02-30", "0001-01-01", "9999-12-31", "99999-01-01", "25:61", "2026-11-27T00:00:00+99:00",
    "../../etc/passwd", "%00", "%0d%0aSet-Cookie: a=b", "'; DROP TABLE call; --", "{{7*7}}", "${x}",
    "<script>alert(1)</script>", "=1+1", "[]", "{}", "null", "[" * 2000, "true", "on",
    "0912345678", "+84912345678", "https://[::1", "http://a:99999/", "a@b", "@", "\r\n.\r\n",
)
text = st.sampled_from(NASTY) | st.text(max_size=60)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Something valid with a few places broken: cut out, doubled, overwritten, or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        upto = min(len(data), at + draw(st.integers(0, 60)))
        how = draw(st.sampled_from(("cut", "double", "put")))
        if how == "cut":
            del data[at:upto]
        elif how == "double":
            data[at:at] = data[at:upto]
        else:
            data[at:upto] = draw(st.binary(max_size=12))
    return bytes(data)
