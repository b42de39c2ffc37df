"""reports read what citizens think of results from the index, too"""

from collections.abc import Sequence

from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BEFORE = ["opened_at", "channel", "category", "area", "agency_id", "status", "due_at",
           "resolved_at"]


def upgrade() -> None:
    op.drop_index("case_opened", table_name="citizen_case")
    op.create_index("case_opened", "citizen_case", [*_BEFORE, "satisfaction"])


def downgrade() -> None:
    op.drop_index("case_opened", table_name="citizen_case")
    op.create_index("case_opened", "citizen_case", _BEFORE)
