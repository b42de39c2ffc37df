"""from whom a supervisor has taken a call over, and who"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0055"
down_revision: str | None = "0054"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("live_call", sa.Column("taken_from", sa.String(length=32), nullable=True))
    op.add_column("live_call", sa.Column("taken_by", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("live_call") as table:
        table.drop_column("taken_by")
        table.drop_column("taken_from")
