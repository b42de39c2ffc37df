"""requests of people about their data, legal holds, what was erased"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "privacy_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("phone_key", sa.String(64), nullable=False),
        sa.Column("requester", sa.String(160), nullable=False),
        sa.Column("checked", sa.String(200), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("answer_by", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("extended", sa.Boolean(), nullable=False),
        sa.Column("entered_by", sa.String(32), nullable=False),
        sa.Column("decided_by", sa.String(32), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("reminded", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("privacy_request_state", "privacy_request", ["state", "due_at"])
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(400), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_legal_hold_phone", "legal_hold", ["phone"])
    op.create_table(
        "erased",
        sa.Column("phone_key", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("phone_key"),
    )


def downgrade() -> None:
    for table in ("erased", "legal_hold", "privacy_request"):
        op.drop_table(table)
