"""emergency calls that broke off while somebody spoke with the caller"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0052"
down_revision: str | None = "0051"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # may be empty, and so needs no new table: of calls before, it is not known
    op.add_column("call", sa.Column("broken_off", sa.Boolean(), nullable=True))
    op.create_index(
        "call_broken_off", "call", ["started_at"],
        sqlite_where=sa.text("broken_off IS 1"), postgresql_where=sa.text("broken_off IS true"),
    )


def downgrade() -> None:
    op.drop_index("call_broken_off", "call")
    with op.batch_alter_table("call") as table:
        table.drop_column("broken_off")
