"""people of agencies, links, drafts, duty telephones; calls, doubles and results of cases"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)
_INDEXES = {
    "case_step": ["next_step_at"], "case_alike": ["category", "area", "opened_at"],
    "case_agency": ["agency_id", "status", "due_at"], "case_duplicates": ["duplicate_of_id"],
}


def upgrade() -> None:
    op.create_table(
        "case_call",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=80), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.PrimaryKeyConstraint("case_id", "call_id"),
    )
    op.create_index("case_call_call", "case_call", ["call_id"])
    op.execute(
        "INSERT INTO case_call (case_id, call_id, at) "
        "SELECT id, call_id, opened_at FROM citizen_case WHERE call_id IS NOT NULL"
    )
    with op.batch_alter_table("agency") as table:
        table.add_column(
            sa.Column("approves", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("citizen_case") as table:
        table.drop_column("call_id")
        table.add_column(
            sa.Column("kind", sa.String(length=8), nullable=False, server_default="report")
        )
        table.add_column(
            sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.add_column(sa.Column("public_text", sa.Text(), nullable=True))
        table.add_column(sa.Column("satisfaction", sa.Integer(), nullable=True))
        table.add_column(sa.Column("duplicate_of_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("split_from_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("next_step_at", _TIME, nullable=True))
        table.add_column(sa.Column("followed", sa.Integer(), nullable=False, server_default="0"))
        for name in ("duplicate_of", "split_from"):
            table.create_foreign_key(f"citizen_case_{name}", "citizen_case", [f"{name}_id"], ["id"])
    # nobody is told of what is past; those that are not at their end are looked at soon
    op.execute(
        "UPDATE citizen_case SET followed = COALESCE("
        "(SELECT max(id) FROM case_event WHERE case_id = citizen_case.id), 0)"
    )
    op.execute(
        "UPDATE citizen_case SET next_step_at = opened_at "
        "WHERE status NOT IN ('closed', 'duplicate')"
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "citizen_case", columns)
    op.create_table(
        "officer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("post", sa.String(length=8), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=120), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("officer_agency", "officer", ["agency_id", "post"])
    op.create_table(
        "delegation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("leader_id", sa.Integer(), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["leader_id"], ["officer.id"]),
        sa.ForeignKeyConstraint(["to_id"], ["officer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "case_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("officer_id", sa.Integer(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("opened_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("code_sent_at", _TIME, nullable=True),
        sa.Column("code_misses", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    op.create_index("case_link_case", "case_link", ["case_id", "ended_at"])
    op.create_table(
        "draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("decided_by", sa.String(length=40), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("draft_case", "draft", ["case_id", "decided_at"])
    op.create_table(
        "duty_round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("agency_id", sa.Integer(), nullable=False),
        sa.Column("begun_at", _TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("taken_at", _TIME, nullable=True),
        sa.Column("taken_by", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["citizen_case.id"]),
        sa.ForeignKeyConstraint(["agency_id"], ["agency.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("duty_round_next", "duty_round", ["next_at"])
    op.create_index("duty_round_case", "duty_round", ["case_id"])


def downgrade() -> None:
    for made in ("duty_round", "draft", "case_link", "delegation", "officer"):
        op.drop_table(made)
    for name in _INDEXES:
        op.drop_index(name, "citizen_case")
    with op.batch_alter_table("citizen_case") as table:
        for name in ("duplicate_of", "split_from"):
            table.drop_constraint(f"citizen_case_{name}", type_="foreignkey")
        for column in ("followed", "next_step_at", "split_from_id", "duplicate_of_id",
                       "satisfaction", "public_text", "public", "kind"):
            table.drop_column(column)
        table.add_column(sa.Column("call_id", sa.String(length=80), nullable=True))
    op.execute(
        "UPDATE citizen_case SET call_id = "
        "(SELECT min(call_id) FROM case_call WHERE case_id = citizen_case.id)"
    )
    with op.batch_alter_table("agency") as table:
        table.drop_column("approves")
    op.drop_table("case_call")
