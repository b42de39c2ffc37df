"""voice messages as work"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "message_task",
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("taken_by", sa.String(length=32), nullable=False),
        sa.Column("taken_at", crm.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("done_at", crm.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index(
        "call_voicemail", "call", ["started_at"],
        sqlite_where=sa.text("voicemail IS NOT NULL"),
        postgresql_where=sa.text("voicemail IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("call_voicemail", "call")
    op.drop_table("message_task")
