"""Key 4 leads outside, and it was tried with those who answer there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from crm.branches import SERVICES
from crm.calls import emergency
from crm.clock import vietnam_day
from crm.database import Database, DatabaseError
from ivr.doctor.check import FAILURE, OK, WARNING, Check, Patient

DRILL_AGE = timedelta(days=90)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def targets(patient: Patient) -> Iterator[Check]:
    settings = patient.settings
    empty = [
        f"{service.number} (HOTLINE_EMERGENCY_{service.id.upper()})" for service in SERVICES
        if not settings.emergency_targets[service.id]
    ]
    if empty:
        yield Check(
            "emergency", FAILURE, f"no number is set for {', '.join(empty)}",
            "agree with each service which number to ring, and set it; till then agents are rung",
        )
    elif not settings.outbound:
        yield Check(
            "emergency", FAILURE, "there is no carrier to ring anybody outside",
            "set HOTLINE_TRUNK_SERVER",
        )
    else:
        count = sum(map(len, settings.emergency_targets.values()))
        yield Check("emergency", OK, f"{count} numbers for {len(SERVICES)} services")


def numbers(patient: Patient) -> Iterator[Check]:
    settings = patient.settings
    if unchecked := settings.unchecked(vietnam_day(datetime.now(UTC))):
        yield Check(
            "numbers", WARNING,
            f"not tried in the last {settings.emergency_check_days} days: {', '.join(unchecked)}",
            "agree on a trial, ring them, and note day and owner in HOTLINE_EMERGENCY_CHECKED",
        )
    else:
        yield Check("numbers", OK, "emergency numbers and help lines were tried, each by its owner")


def drill(patient: Patient) -> Iterator[Check]:
    try:
        with Database.of(patient.settings).reading() as session:
            drills = emergency.last_drills(session)
    except (DatabaseError, SQLAlchemyError) as error:
        yield Check("drill", FAILURE, str(error).splitlines()[0], "the database must answer first")
        return
    oldest = datetime.now(UTC) - DRILL_AGE
    if stale := [one.number for one in SERVICES if drills.get(one.id, EPOCH) < oldest]:
        yield Check(
            "drill", FAILURE,
            f"no drill with {', '.join(stale)} in the last {DRILL_AGE.days} days",
            "agree on one, press 4, and note it: hotline emergency drill SERVICE",
        )
    else:
        yield Check("drill", OK, f"the last with each service is under {DRILL_AGE.days} days old")
