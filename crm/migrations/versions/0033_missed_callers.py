"""callers who reached nobody, as work; numbers that were rung by a click"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_MISSED = "outcome IN ('abandoned_queue', 'rejected', 'lost')"


def upgrade() -> None:
    op.create_table(
        "missed_caller",
        sa.Column("number", sa.String(20), primary_key=True),
        sa.Column("taken_by", sa.String(32)),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("done_at", UtcDateTime()),
        sa.Column("done_by", sa.String(32)),
        sa.Column("result", sa.String(12)),
    )
    op.create_table(
        "ring_out",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(80)),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ring_out_by", "ring_out", ["by", "at"])
    op.create_index("ring_out_number", "ring_out", ["number", "at"])
    op.create_index(
        "call_missed", "call", ["started_at"],
        sqlite_where=sa.text(_MISSED), postgresql_where=sa.text(_MISSED),
    )
    # as it is asked for: SQLite takes an index of a part only for the same words
    op.drop_index("call_unreached", table_name="call")
    op.create_index(
        "call_unreached", "call", ["started_at"],
        sqlite_where=sa.text("unreached IS 1"), postgresql_where=sa.text("unreached IS true"),
    )


def downgrade() -> None:
    op.drop_index("call_unreached", table_name="call")
    op.create_index(
        "call_unreached", "call", ["started_at"],
        sqlite_where=sa.text("unreached"), postgresql_where=sa.text("unreached"),
    )
    op.drop_index("call_missed", table_name="call")
    op.drop_table("ring_out")
    op.drop_table("missed_caller")
