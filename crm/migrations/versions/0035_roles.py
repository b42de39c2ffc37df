"""leaders of agencies have a role of their own"""

from collections.abc import Sequence

from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "UPDATE user_account SET role = 'leader' WHERE role = 'officer'"
        " AND login IN (SELECT login FROM officer WHERE post = 'leader')"
    )


def downgrade() -> None:
    op.execute("UPDATE user_account SET role = 'officer' WHERE role = 'leader'")
