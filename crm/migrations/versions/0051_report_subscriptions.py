"""who gets which report by e-mail, and how often"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0051"
down_revision: str | None = "0050"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STANDS = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "report_subscription",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("report", sa.String(16), nullable=False),
        sa.Column("every", sa.String(8), nullable=False),
        sa.Column("recipient", sa.String(120), nullable=False),
        sa.Column("added_by", sa.String(32), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.Column("ended_by", sa.String(32)),
        sa.Column("ended_at", UtcDateTime()),
    )
    op.create_index(
        "report_subscription_stands", "report_subscription", ["report", "every", "recipient"],
        unique=True, sqlite_where=_STANDS, postgresql_where=_STANDS,
    )
    op.create_index("report_subscription_ended", "report_subscription", ["ended_at"])


def downgrade() -> None:
    op.drop_table("report_subscription")
