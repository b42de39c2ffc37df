"""emergency calls that reached nobody; drills"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("call") as table:
        table.add_column(
            sa.Column("unreached", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("call") as table:
        table.alter_column("unreached", server_default=None)
    op.create_index(
        "call_unreached", "call", ["started_at"],
        sqlite_where=sa.text("unreached"), postgresql_where=sa.text("unreached"),
    )
    op.create_table(
        "rung_back",
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("at", crm.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_table(
        "drill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("at", crm.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("drill")
    op.drop_table("rung_back")
    op.drop_index("call_unreached", "call")
    with op.batch_alter_table("call") as table:
        table.drop_column("unreached")
