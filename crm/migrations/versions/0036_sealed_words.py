"""words of private cases stand sealed, what is there by the next daily round; people with several
numbers"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0036"
down_revision: str | None = "0040"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("DELETE FROM api_answer")  # kept for two days, and readable until now
    with op.batch_alter_table("api_answer") as batch:
        batch.alter_column(
            "body", existing_type=sa.JSON(), type_=sa.Text(), postgresql_using="body::text"
        )
    with op.batch_alter_table("case_event") as batch:
        batch.alter_column("salt", existing_type=sa.String(32), type_=sa.Text())
    op.add_column("citizen", sa.Column("person", sa.Integer(), nullable=True))
    op.create_index("ix_citizen_person", "citizen", ["person"])
    op.create_table(
        "citizen_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(20), nullable=False),
        sa.Column("other", sa.String(20), nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.Column("at", crm.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("citizen_event_phone", "citizen_event", ["phone", "id"])
    op.create_index("citizen_event_other", "citizen_event", ["other", "id"])


def downgrade() -> None:
    """Only before anything was sealed: a sealed salt is longer than the column was."""
    op.drop_table("citizen_event")
    op.drop_index("ix_citizen_person", "citizen")
    op.drop_column("citizen", "person")
    op.execute("DELETE FROM api_answer")
    with op.batch_alter_table("api_answer") as batch:
        batch.alter_column(
            "body", existing_type=sa.Text(), type_=sa.JSON(), postgresql_using="body::json"
        )
    with op.batch_alter_table("case_event") as batch:
        batch.alter_column("salt", existing_type=sa.Text(), type_=sa.String(32))
