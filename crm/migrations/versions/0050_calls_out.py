"""calls out: counted of all agents together"""

from collections.abc import Sequence

from alembic import op

revision: str = "0050"
down_revision: str | None = "0041"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("ring_out_at", "ring_out", ["at"])


def downgrade() -> None:
    op.drop_index("ring_out_at", "ring_out")
