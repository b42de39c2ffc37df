"""the health department's figures, the daily report, counts by day"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0017"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)
_FIGURES = ("new_cases", "recovered", "deaths", "under_treatment", "tests", "doses")
_COUNTS = ("calls", "queued", "in_time", "unreached", "rated", "satisfied", "longest_wait_ms")


def upgrade() -> None:
    op.create_table(
        "health_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("entered_by", sa.String(length=32), nullable=False),
        sa.Column("entered_at", _TIME, nullable=False),
        sa.Column("confirmed", sa.JSON(), nullable=False),
        sa.Column("approved_by", sa.String(length=32), nullable=True),
        sa.Column("approved_at", _TIME, nullable=True),
        sa.Column("bulletin_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["bulletin_id"], ["bulletin.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("day", "version"),
    )
    op.create_table(
        "health_figure",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("area", sa.String(length=8), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _FIGURES),
        sa.ForeignKeyConstraint(["report_id"], ["health_report.id"]),
        sa.PrimaryKeyConstraint("report_id", "area"),
    )
    op.create_table(
        "report_run",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reminded_at", _TIME, nullable=True),
        sa.Column("reminded_again_at", _TIME, nullable=True),
        sa.Column("alarmed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "report_issue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("sent_again", sa.Integer(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("xlsx", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("day", "edition"),
    )
    op.create_table(
        "call_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("direction", sa.String(length=4), nullable=False),
        sa.Column("branch", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("day", "direction", "branch", "outcome"),
    )
    op.create_table(
        "counted_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("counted_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_index("case_opened", "citizen_case", [
        "opened_at", "channel", "category", "area", "agency_id", "status", "due_at", "resolved_at",
    ])
    op.create_index("case_resolved", "citizen_case", ["resolved_at", "agency_id"])


def downgrade() -> None:
    op.drop_index("case_resolved", "citizen_case")
    op.drop_index("case_opened", "citizen_case")
    for table in ("counted_day", "call_day", "report_issue", "report_run", "health_figure",
                  "health_report"):
        op.drop_table(table)
