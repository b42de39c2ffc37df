"""The accounts that set-up made: their passwords stood in a file, and on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from crm import first_accounts
from crm.database import Database, DatabaseError
from ivr.doctor.check import OK, Check, Patient


def first(patient: Patient) -> Iterator[Check]:
    home = patient.settings.home
    file = home / first_accounts.FILE
    try:
        with Database.of(patient.settings).reading() as session:
            unchanged = first_accounts.unchanged(session, home)
    except (DatabaseError, SQLAlchemyError):
        return  # said under database
    if unchanged:
        yield Check(
            "accounts", patient.late(),
            f"the first password still holds for {', '.join(unchanged)}",
            "let each choose another (Tài khoản), or hotline user password LOGIN",
        )
    elif file.exists():
        yield Check(
            "accounts", patient.late(), f"{file.name} still lies there", f"delete {file}"
        )
    else:
        yield Check("accounts", OK, "no password of the set-up is left")
