"""accounts of officers"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("officer") as table:
        table.add_column(sa.Column("login", sa.String(length=32), nullable=True))
        table.create_unique_constraint("officer_login_key", ["login"])


def downgrade() -> None:
    with op.batch_alter_table("officer") as table:
        table.drop_constraint("officer_login_key", type_="unique")
        table.drop_column("login")
