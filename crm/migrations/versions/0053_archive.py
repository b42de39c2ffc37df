"""months that are archived, and the counts by the hour that reports keep of them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0053"
down_revision: str | None = "0052"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "archived_month",
        sa.Column("month", sa.Date(), primary_key=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=False),
        sa.Column("restored_until", UtcDateTime(), nullable=True),
        sa.Column("nameless", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "call_hour",
        sa.Column("at", UtcDateTime(), primary_key=True),
        sa.Column("direction", sa.String(4), primary_key=True),
        sa.Column("branch", sa.String(16), primary_key=True),
        sa.Column("outcome", sa.String(16), primary_key=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in (
            "calls", "queued", "in_time", "unreached", "rated", "satisfied", "longest_wait_ms",
        )),
    )
    for name in ("trials", "trials_in_norm"):
        op.add_column("counted_day", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("counted_day") as table:
        table.drop_column("trials_in_norm")
        table.drop_column("trials")
    op.drop_table("call_hour")
    op.drop_table("archived_month")
