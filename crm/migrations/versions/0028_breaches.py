"""incidents with personal data"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "breach",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("data", sa.String(400), nullable=False),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("discovered_at", _TIME, nullable=False),
        sa.Column("entered_at", _TIME, nullable=False),
        sa.Column("entered_by", sa.String(32), nullable=False),
        sa.Column("measures", sa.Text(), nullable=False),
        sa.Column("notified_at", _TIME, nullable=True),
        sa.Column("notice_number", sa.String(80), nullable=False),
        sa.Column("closed_at", _TIME, nullable=True),
        sa.Column("closed_by", sa.String(32), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reminded", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("breach_notified", "breach", ["notified_at", "discovered_at"])


def downgrade() -> None:
    op.drop_table("breach")
