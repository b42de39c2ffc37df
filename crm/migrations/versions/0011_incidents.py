"""incidents and who is affected"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sound", sa.String(length=20), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("over_at", _TIME, nullable=True),
        sa.Column("over_sound", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_table(
        "affected",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("joined_at", _TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=True),
        sa.Column("told_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.case_id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "number"),
    )
    op.create_index("affected_due", "affected", ["due_at"])
    op.create_index("affected_call", "affected", ["call_id"])


def downgrade() -> None:
    op.drop_table("affected")
    op.drop_table("incident")
