"""how well legs were heard, PINs of agents on telephones"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from crm.database import UtcDateTime

revision: str = "0037"
down_revision: str | None = "0039"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "line_quality",
        sa.Column("leg", sa.String(36), primary_key=True),
        sa.Column("call_id", sa.String(80), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Float(), nullable=False)
            for name in ("mean", "worst", "loss", "jitter", "round_trip")
        ),
    )
    op.create_index("ix_line_quality_call_id", "line_quality", ["call_id"])
    op.create_index("ix_line_quality_at", "line_quality", ["at"])
    op.create_table(
        "keypad_login",
        sa.Column(
            "user_id", sa.Integer(), sa.ForeignKey("user_account.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("pin", sa.String(40), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("set_by", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("keypad_login")
    op.drop_table("line_quality")
