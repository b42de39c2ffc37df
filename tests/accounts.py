"""Accounts for tests."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from crm import users

PASSWORD = "a long enough password"
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_NOBODY = _QUICK.hash("nobody's")


def hash_quickly(patch: pytest.MonkeyPatch) -> None:
    """Passwords of tests need no strong hash, and a busy machine makes one slow."""
    patch.setattr(users, "_hasher", _QUICK)
    patch.setattr(users, "_nobody", _NOBODY)
