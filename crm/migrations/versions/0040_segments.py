"""segments of calls, agents' states, measures of past days"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0040"
down_revision: str | None = "0038"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

MEASURES = (
    "calls", "answered", "reached", "transferred", "callback", "voicemail", "self_served",
    "abandoned", "left_menu", "rejected", "lost", "open", "unreached", "queued", "in_norm",
    "counted", "in_time", "waited", "waited_ms", "longest_wait_ms", "ab_5", "ab_10", "ab_20",
    "ab_30", "ab_60", "ab_120", "ab_300", "ab_more", "told", "told_right", "told_off_ms",
    "again_counted", "not_again", "rated", "satisfied", "offers", "taken", "unanswered",
    "refused", "handled", "talk_ms", "hold_ms", "wrapup_ms", "consult_ms", "transfers",
    "transfers_done", "signed_ms", "paused_ms", "staffed_ms", "busy_ms",
)


def upgrade() -> None:
    op.create_table(
        "call_segment",
        sa.Column("call_id", sa.String(80), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("leg_id", sa.String(80)),
        sa.Column("branch", sa.String(16)),
        sa.Column("queue", sa.String(16)),
        sa.Column("agent", sa.String(32)),
        sa.Column("party", sa.String(40)),
        sa.Column("how", sa.String(8)),
        sa.Column("result", sa.String(16)),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ms", sa.Integer(), nullable=False),
    )
    op.create_index("call_segment_started", "call_segment", ["started_at"])
    op.create_index("call_segment_agent", "call_segment", ["agent", "started_at"])
    op.create_index(
        "call_segment_party", "call_segment", ["party"],
        sqlite_where=sa.text("party IS NOT NULL"), postgresql_where=sa.text("party IS NOT NULL"),
    )
    op.create_table(
        "agent_event",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(16)),
    )
    op.create_index("agent_event_agent", "agent_event", ["agent", "at"])
    op.create_index("agent_event_at", "agent_event", ["at"])
    op.create_table(
        "measure_day",
        sa.Column("by", sa.String(8), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("key", sa.String(40), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in MEASURES),
    )
    # all days are counted again, with their measures
    op.execute("DELETE FROM counted_day")


def downgrade() -> None:
    op.drop_table("measure_day")
    op.drop_table("agent_event")
    op.drop_table("call_segment")
