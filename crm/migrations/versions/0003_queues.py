"""what an agent serves are queues, and are called so"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("user_account") as table:
        table.alter_column("branches", new_column_name="queues")


def downgrade() -> None:
    with op.batch_alter_table("user_account") as table:
        table.alter_column("queues", new_column_name="branches")
