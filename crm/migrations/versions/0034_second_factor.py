"""a second factor of the sign-in"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "user_session", sa.Column("needs", sa.String(8), nullable=False, server_default="")
    )
    op.create_table(
        "second_factor",
        sa.Column(
            "user_id", sa.Integer(), sa.ForeignKey("user_account.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime()),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("recovery", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("second_factor")
    op.drop_column("user_session", "needs")
