"""recordings sealed, heard and noted on; what agents did with them; score cards"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0039"
down_revision: str | None = "0036"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_RECORDED = "recording IS NOT NULL OR recording_notice = 'refused'"


def upgrade() -> None:
    op.add_column("live_call", sa.Column("recording", sa.String(12)))
    op.add_column("call", sa.Column("recording_marks", sa.JSON()))
    for name, columns in (
        ("call_recorded", ["started_at"]), ("call_recorded_agent", ["agent", "started_at"]),
    ):
        op.create_index(
            name, "call", columns,
            sqlite_where=sa.text(_RECORDED), postgresql_where=sa.text(_RECORDED),
        )
    op.create_table(
        "sound",
        sa.Column("name", sa.String(120), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("call_id", sa.String(80), nullable=False),
        sa.Column("length_ms", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("peaks", sa.Text()),
        sa.Column("sealed_at", UtcDateTime()),
        sa.Column("discarded_at", UtcDateTime()),
        sa.Column("discarded_by", sa.String(32)),
        sa.Column("discarded_why", sa.String(16)),
        sa.Column("checked_at", UtcDateTime()),
        sa.Column("trouble", sa.String(200)),
    )
    op.create_index("ix_sound_call_id", "sound", ["call_id"])
    op.create_index(
        "sound_trouble", "sound", ["name"],
        sqlite_where=sa.text("trouble IS NOT NULL"),
        postgresql_where=sa.text("trouble IS NOT NULL"),
    )
    op.create_table(
        "sound_use",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("call_id", sa.String(80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
    )
    op.create_index("sound_use_name", "sound_use", ["name", "at"])
    op.create_table(
        "sound_note",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("sound_note_name", "sound_note", ["name", "at_ms"])
    _quality()


def _quality() -> None:
    op.create_table(
        "score_card",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("active", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "card_version",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("card_id", sa.Integer(), sa.ForeignKey("score_card.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("questions", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(32), nullable=False),
        sa.UniqueConstraint("card_id", "number"),
    )
    op.create_table(
        "quality_draw",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("week", sa.String(8), nullable=False, unique=True),
        sa.Column("seed", sa.String(32), nullable=False),
        sa.Column("per_agent", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Integer(), nullable=False),
        sa.Column("pool_digest", sa.String(64), nullable=False),
        sa.Column("drawn_at", UtcDateTime(), nullable=False),
        sa.Column("drawn_by", sa.String(32), nullable=False),
    )
    op.create_table(
        "quality_pick",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("draw_id", sa.Integer(), sa.ForeignKey("quality_draw.id"), nullable=False),
        sa.Column("call_id", sa.String(80), nullable=False, unique=True),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("branch", sa.String(16), nullable=False),
    )
    op.create_index("ix_quality_pick_draw_id", "quality_pick", ["draw_id"])
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "pick_id", sa.Integer(), sa.ForeignKey("quality_pick.id"), nullable=False, unique=True
        ),
        sa.Column("version_id", sa.Integer(), sa.ForeignKey("card_version.id"), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("evaluator", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime()),
        sa.Column("reply", sa.Text()),
        sa.Column("replied_at", UtcDateTime()),
    )
    op.create_index("evaluation_agent", "evaluation", ["agent", "at"])
    op.create_index("evaluation_at", "evaluation", ["at"])


def downgrade() -> None:
    for table in (
        "evaluation", "quality_pick", "quality_draw", "card_version", "score_card", "sound_note",
        "sound_use", "sound",
    ):
        op.drop_table(table)
    op.drop_index("call_recorded_agent", "call")
    op.drop_index("call_recorded", "call")
    op.drop_column("call", "recording_marks")
    op.drop_column("live_call", "recording")
