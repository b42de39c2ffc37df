"""shifts: roster, swaps, handovers, urgent instructions; counts by half-hour"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0041"
down_revision: str | None = "0037"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_OPEN = "state IN ('offered', 'taken')"


def _user(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), sa.ForeignKey("user_account.id"), nullable=null)


def upgrade() -> None:
    op.create_table(
        "shift",
        sa.Column("id", sa.Integer(), primary_key=True),
        _user("user_id"),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("branch", sa.String(16), nullable=False),
        sa.UniqueConstraint("user_id", "begins_at"),
    )
    op.create_index("shift_begins", "shift", ["begins_at"])
    op.create_table(
        "shift_swap",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "shift_id", sa.Integer(), sa.ForeignKey("shift.id", ondelete="CASCADE"),
            nullable=False,
        ),
        _user("offered_by"),
        sa.Column("offered_at", UtcDateTime(), nullable=False),
        _user("taken_by", null=True),
        sa.Column("taken_at", UtcDateTime()),
        _user("decided_by", null=True),
        sa.Column("decided_at", UtcDateTime()),
        sa.Column("state", sa.String(10), nullable=False),
    )
    op.create_index(
        "shift_swap_open", "shift_swap", ["shift_id"], unique=True,
        sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN),
    )
    op.create_index("shift_swap_shift", "shift_swap", ["shift_id"])
    op.create_table(
        "shift_event",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("what", sa.String(24), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    op.create_index("shift_event_what", "shift_event", ["what", "at"])
    op.create_table(
        "handover",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("outgoing", sa.String(32), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.Column("incoming", sa.String(32)),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("withdrawn_at", UtcDateTime()),
        sa.Column("waits", sa.Boolean(), unique=True),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "instruction",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(32), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("ended_by", sa.String(32)),
        sa.UniqueConstraint("series", "version"),
    )
    op.create_index("instruction_expires", "instruction", ["expires_at"])
    op.create_table(
        "instruction_read",
        sa.Column(
            "instruction_id", sa.Integer(), sa.ForeignKey("instruction.id"), primary_key=True
        ),
        sa.Column("login", sa.String(32), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "finding",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
    )
    _half_hours()


def _half_hours() -> None:
    op.create_table(
        "half_hour",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("slot", sa.Integer(), primary_key=True),
        sa.Column("branch", sa.String(16), primary_key=True),
        *(sa.Column(name, sa.Integer(), nullable=False)
          for name in ("offered", "answered", "in_time", "counted", "abandoned")),
        sa.Column("wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("handled_ms", sa.BigInteger(), nullable=False),
    )
    op.execute("DELETE FROM counted_day")  # past days are counted anew, by half-hour too


def downgrade() -> None:
    for table in (
        "half_hour", "finding", "instruction_read",
        "instruction", "handover", "shift_event", "shift_swap", "shift",
    ):
        op.drop_table(table)
