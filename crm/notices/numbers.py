"""Phone numbers in the forms that providers take; ours is 0912345678."""

from __future__ import annotations


def domestic(number: str) -> str:
    """0912345678 for +84912345678 and 84912345678; others as they are."""
    digits = number.removeprefix("+")
    if digits.startswith("84") and len(digits) in (11, 12):
        return f"0{digits[2:]}"
    return number


def international(number: str, prefix: str = "+84") -> str:
    """+84912345678 for 0912345678; `prefix`: +84, 84 or 0."""
    own = domestic(number)
    return f"{prefix}{own[1:]}" if own.startswith("0") else own


def masked(recipient: str) -> str:
    """For logs: 0912***678, a***@example.vn."""
    name, at, host = recipient.partition("@")
    if at:
        return f"{name[:1]}***@{host}"
    return f"{name[:4]}***{name[-3:]}" if len(name) > 7 else "***"
