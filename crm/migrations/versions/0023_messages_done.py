"""voice messages that wait are found without reading those that do not"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.drop_index("call_voicemail", table_name="call")
    op.add_column(  # at once, however many rows there are
        "call", sa.Column("message_done", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(sa.text(
        "UPDATE call SET message_done = :yes WHERE id IN"
        " (SELECT call_id FROM message_task WHERE done_at IS NOT NULL)"
    ).bindparams(sa.bindparam("yes", True, sa.Boolean())))
    op.create_index(
        "call_message", "call", ["emergency", "started_at"],
        sqlite_where=sa.text("voicemail IS NOT NULL AND message_done IS 0"),
        postgresql_where=sa.text("voicemail IS NOT NULL AND message_done IS false"),
    )


def downgrade() -> None:
    op.drop_index("call_message", table_name="call")
    with op.batch_alter_table("call") as table:
        table.drop_column("message_done")
    op.create_index(
        "call_voicemail", "call", ["started_at"],
        sqlite_where=sa.text("voicemail IS NOT NULL"),
        postgresql_where=sa.text("voicemail IS NOT NULL"),
    )
