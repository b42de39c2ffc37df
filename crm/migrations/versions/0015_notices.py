"""notices on every channel: files, receipts, opting out, tokens, legal basis"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)
_ADDED = (
    "purpose", "template", "params", "key", "case_id", "urgent", "personal", "ended_at", "provider",
)


def upgrade() -> None:
    with op.batch_alter_table("notice") as table:
        # what is there already are alarms to the engineers
        table.add_column(
            sa.Column("purpose", sa.String(12), nullable=False, server_default="alarm")
        )
        table.add_column(sa.Column("template", sa.String(64), nullable=True))
        table.add_column(sa.Column("params", sa.JSON(), nullable=True))
        table.add_column(sa.Column("key", sa.String(120), nullable=True))
        table.add_column(sa.Column("case_id", sa.Integer(), nullable=True))
        table.add_column(
            sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        table.add_column(
            sa.Column("personal", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.add_column(sa.Column("ended_at", _TIME, nullable=True))
        table.add_column(sa.Column("provider", sa.String(10), nullable=True))
        table.alter_column("recipient", existing_type=sa.String(20), type_=sa.String(254))
        table.alter_column("subject", existing_type=sa.String(40), type_=sa.String(200))
        table.alter_column("state", existing_type=sa.String(8), type_=sa.String(10))
        table.alter_column("provider_id", existing_type=sa.String(64), type_=sa.String(100))
        table.create_unique_constraint("notice_key", ["key"])
        table.create_foreign_key("notice_case_id", "citizen_case", ["case_id"], ["id"])
    op.execute("UPDATE notice SET provider = 'twilio' WHERE provider_id IS NOT NULL")
    with op.batch_alter_table("notice") as table:
        for name in ("purpose", "urgent", "personal"):
            table.alter_column(name, server_default=None, existing_nullable=False)
    op.create_index("notice_due", "notice", ["state", "next_attempt_at"])
    op.create_index("notice_receipt", "notice", ["provider", "provider_id"])
    op.create_index("notice_case", "notice", ["case_id"])
    op.create_table(
        "notice_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("notice_file_notice", "notice_file", ["notice_id"])
    op.create_table(
        "stray_receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(10), nullable=False),
        sa.Column("provider_id", sa.String(100), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(300), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "provider_id"),
    )
    op.create_table(
        "opt_out",
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("recipient"),
    )
    op.create_table(
        "zalo_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("refresh", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("renewing_until", _TIME, nullable=False),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "foreign_use",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(12), nullable=False),
        sa.Column("basis", sa.String(300), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    for name in ("foreign_use", "zalo_tokens", "opt_out", "stray_receipt", "notice_file"):
        op.drop_table(name)
    for name in ("notice_case", "notice_receipt", "notice_due"):
        op.drop_index(name, "notice")
    op.execute("DELETE FROM notice WHERE purpose <> 'alarm'")  # what was there before knows alarms
    op.execute("UPDATE notice SET state = 'sent' WHERE state = 'delivered'")
    op.execute("UPDATE notice SET state = 'waiting' WHERE state = 'sending'")
    op.execute("UPDATE notice SET state = 'failed' WHERE state = 'suppressed'")
    with op.batch_alter_table("notice") as table:
        table.drop_constraint("notice_case_id", type_="foreignkey")
        table.drop_constraint("notice_key", type_="unique")
        for name in _ADDED:
            table.drop_column(name)
        table.alter_column("recipient", existing_type=sa.String(254), type_=sa.String(20))
        table.alter_column("subject", existing_type=sa.String(200), type_=sa.String(40))
        table.alter_column("state", existing_type=sa.String(10), type_=sa.String(8))
        table.alter_column("provider_id", existing_type=sa.String(100), type_=sa.String(64))
