"""the page of results reads what stands on it, and no other case"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(
        "case_public", "citizen_case", ["resolved_at", "id"],
        sqlite_where=sa.text("public IS 1 AND public_text IS NOT NULL"),
        postgresql_where=sa.text("public IS true AND public_text IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("case_public", table_name="citizen_case")
