"""how cases came in, files and fields of cases, cases that portals have"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("sender", sa.String(254), nullable=True),
        sa.Column("reference", sa.String(80), nullable=True),
        sa.Column("consent", sa.String(16), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("link_tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.UniqueConstraint("source", "key"),
    )
    op.create_index("arrival_case", "arrival", ["case_id"])
    op.create_index("arrival_sender", "arrival", ["source", "sender", "at"])
    op.create_table(
        "attachment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("received_sha256", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("giver", sa.String(8), nullable=False),
        sa.Column("for_agency", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.UniqueConstraint("case_id", "received_sha256"),
    )
    op.create_index("attachment_content", "attachment", ["sha256"])
    op.create_table(
        "case_details",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(24), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("changed_by", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("case_id"),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
    )
    op.create_table(
        "portal_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("portal", sa.String(12), nullable=False),
        sa.Column("external_id", sa.String(80), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("their_status", sa.String(80), nullable=False),
        sa.Column("their_status_at", _TIME, nullable=False),
        sa.Column("told_status", sa.String(12), nullable=True),
        sa.Column("told_at", _TIME, nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.UniqueConstraint("portal", "external_id"),
    )
    op.create_index("portal_case_case", "portal_case", ["case_id"])


def downgrade() -> None:
    for table in ("portal_case", "case_details", "attachment", "arrival"):
        op.drop_table(table)
