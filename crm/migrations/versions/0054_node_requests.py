"""what one node asks another to tell its Asterisk"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0054"
down_revision: str | None = "0053"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "node_request",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("node", sa.String(16), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("outcome", sa.String(8)),
        sa.Column("message", sa.String(200), nullable=False),
    )
    op.create_index("node_request_node", "node_request", ["node", "taken_at"])


def downgrade() -> None:
    op.drop_table("node_request")
