"""the ledger of consents"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(20), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("said", sa.String(8), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(12), nullable=False),
        sa.Column("evidence", sa.String(200), nullable=False),
        sa.Column("at", crm.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_phone", "consent", ["phone", "purpose", "id"])


def downgrade() -> None:
    op.drop_table("consent")
