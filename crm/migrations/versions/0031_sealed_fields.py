"""fields that stand sealed; what is there is sealed by the next daily round"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TEXTS = (("citizen", "name", 80), ("seat", "secret", 64), ("webhook", "secret", 64))


def upgrade() -> None:
    with op.batch_alter_table("case_details") as batch:
        batch.alter_column(
            "fields", existing_type=sa.JSON(), type_=sa.Text(), postgresql_using="fields::text"
        )
    for table, column, length in _TEXTS:
        _lengthen(table, column, sa.String(length), sa.Text())


def downgrade() -> None:
    """Only before anything was sealed: a sealed text is longer than the column was, and no JSON."""
    with op.batch_alter_table("case_details") as batch:
        batch.alter_column(
            "fields", existing_type=sa.Text(), type_=sa.JSON(), postgresql_using="fields::json"
        )
    for table, column, length in _TEXTS:
        _lengthen(table, column, sa.Text(), sa.String(length))


def _lengthen(table: str, column: str, before: sa.String, after: sa.String) -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(table, column, existing_type=before, type_=after)
        return
    # not as a batch: other tables name rows of this one, which may not go for a moment
    op.add_column(table, sa.Column("sealed", after, nullable=False, server_default=""))
    op.execute(f"UPDATE {table} SET sealed = {column}")  # noqa: S608 - names of our own
    op.drop_column(table, column)
    op.alter_column(table, "sealed", new_column_name=column)
