"""categories, areas and routes of cases, and by when they are dispatched"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("citizen_case") as table:
        table.add_column(sa.Column("category", sa.String(length=24), nullable=True))
        table.add_column(sa.Column("area", sa.String(length=8), nullable=True))
        table.add_column(sa.Column("about_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("dispatch_due_at", _TIME, nullable=True))
        table.create_foreign_key("citizen_case_about", "agency", ["about_id"], ["id"])
    op.execute("UPDATE citizen_case SET dispatch_due_at = opened_at")
    with op.batch_alter_table("citizen_case") as table:
        table.alter_column("dispatch_due_at", existing_type=_TIME, nullable=False)
    op.create_table(
        "route",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=24), nullable=False),
        sa.Column("area", sa.String(length=8), nullable=True),
        sa.Column("agency", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("category", "area"),
    )


def downgrade() -> None:
    op.drop_table("route")
    with op.batch_alter_table("citizen_case") as table:
        table.drop_constraint("citizen_case_about", type_="foreignkey")
        for column in ("category", "area", "about_id", "dispatch_due_at"):
            table.drop_column(column)
