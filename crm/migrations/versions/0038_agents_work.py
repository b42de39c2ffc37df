"""agents' work: skills, pauses with limits, help, results of calls, calls for life, scripts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0038"
down_revision: str | None = "0035"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

LIMITS = (  # minutes at once, a day
    ("rest", 15, 45), ("lunch", 60, 60), ("training", None, None), ("private", 15, 30),
    ("other_work", 60, None),
)
RESULTS = (  # as they were, with what each needs
    ("solved", "Đã giải đáp", "Question answered", False, 0),
    ("case", "Đã lập phản ánh", "Case opened", True, 0),
    ("referred", "Đã chuyển cơ quan", "Passed to an agency", False, 10),
    ("call_back", "Sẽ gọi lại", "Will call back", False, 10),
    ("wrong_number", "Gọi nhầm số", "Wrong number", False, 0),
    ("nuisance", "Cuộc gọi quấy rối", "Nuisance call", False, 0),
    ("cut_off", "Bị ngắt giữa chừng", "Cut off", False, 0),
    ("other", "Khác", "Other", False, 10),
)


def upgrade() -> None:
    op.add_column(
        "user_account", sa.Column("levels", sa.JSON(), nullable=False, server_default="{}")
    )
    op.add_column("call_note", sa.Column("case_code", sa.String(8)))
    for table in ("article", "article_version"):
        op.add_column(
            table, sa.Column("scene", sa.String(24), nullable=False, server_default="")
        )
    op.add_column("article", sa.Column("approved_version", sa.Integer()))
    op.add_column(
        "article", sa.Column("approved_by", sa.String(160), nullable=False, server_default="")
    )
    op.add_column("article", sa.Column("approved_at", UtcDateTime()))
    op.create_index("article_scene", "article", ["scene", "state"])
    _pauses()
    _calls()
    results = op.create_table(
        "call_result",
        sa.Column("code", sa.String(24), primary_key=True),
        sa.Column("vi", sa.String(60), nullable=False),
        sa.Column("en", sa.String(60), nullable=False),
        sa.Column("branches", sa.JSON(), nullable=False),
        sa.Column("needs_case", sa.Boolean(), nullable=False),
        sa.Column("shortest_note", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime()),
        sa.Column("changed_by", sa.String(32)),
    )
    op.bulk_insert(results, [
        {
            "code": code, "vi": vi, "en": en, "branches": [], "needs_case": needs_case,
            "shortest_note": shortest, "position": place, "active": True,
        }
        for place, (code, vi, en, needs_case, shortest) in enumerate(RESULTS, start=1)
    ])


def _pauses() -> None:
    limits = op.create_table(
        "pause_limit",
        sa.Column("reason", sa.String(12), primary_key=True),
        sa.Column("at_once_min", sa.Integer()),
        sa.Column("per_day_min", sa.Integer()),
        sa.Column("changed_at", UtcDateTime()),
        sa.Column("changed_by", sa.String(32)),
    )
    op.bulk_insert(limits, [
        {"reason": reason, "at_once_min": at_once, "per_day_min": per_day}
        for reason, at_once, per_day in LIMITS
    ])
    op.create_table(
        "pause_spell",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("login", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
    )
    op.create_index("pause_spell_login", "pause_spell", ["login", "began_at"])
    op.create_index("pause_spell_began", "pause_spell", ["began_at"])
    op.create_index(
        "pause_spell_open", "pause_spell", ["login"], unique=True,
        sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"),
    )


def _calls() -> None:
    op.create_table(
        "help_call",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(80)),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("taken_by", sa.String(32)),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("cleared_at", UtcDateTime()),
        sa.Column("cleared_by", sa.String(32)),
    )
    op.create_index(
        "help_call_open", "help_call", ["agent"], unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"), postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "rescue_call",
        sa.Column("call_id", sa.String(80), primary_key=True),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("to", sa.String(24), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("citizen_case.id"), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime()),
        sa.Column("seen_by", sa.String(32)),
    )
    op.create_index("ix_rescue_call_case_id", "rescue_call", ["case_id"])
    op.create_index(
        "rescue_call_open", "rescue_call", ["at"],
        sqlite_where=sa.text("seen_at IS NULL"), postgresql_where=sa.text("seen_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("call_result", "rescue_call", "help_call", "pause_spell", "pause_limit"):
        op.drop_table(table)
    op.drop_index("article_scene", table_name="article")
    for column in ("approved_at", "approved_by", "approved_version", "scene"):
        op.drop_column("article", column)
    op.drop_column("article_version", "scene")
    op.drop_column("call_note", "case_code")
    op.drop_column("user_account", "levels")
