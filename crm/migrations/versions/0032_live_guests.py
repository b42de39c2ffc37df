"""who besides its agent speaks in a call"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("live_call") as batch:
        batch.add_column(sa.Column("guest", sa.String(24)))
        batch.add_column(sa.Column("guest_state", sa.String(8)))
        batch.add_column(
            sa.Column("aside", sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )


def downgrade() -> None:
    with op.batch_alter_table("live_call") as batch:
        for name in ("guest", "guest_state", "aside"):
            batch.drop_column(name)
