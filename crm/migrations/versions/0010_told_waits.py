"""what callers were told of their wait"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("call") as table:
        table.add_column(sa.Column("wait_from_s", sa.Integer(), nullable=True))
        table.add_column(sa.Column("wait_to_s", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("call") as table:
        table.drop_column("wait_from_s")
        table.drop_column("wait_to_s")
