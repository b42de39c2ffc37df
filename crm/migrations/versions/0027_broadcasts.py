"""broadcasts, and the tables in which huey keeps the jobs that wake their senders"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "broadcast",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("audience", sa.String(8), nullable=False),
        sa.Column("delivery", sa.String(8), nullable=False),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("authority", sa.String(160), nullable=False),
        sa.Column("document", sa.String(80), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("most_per_minute", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(10), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("invalid", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("tested_at", _TIME, nullable=True),
        sa.Column("approved_by", sa.String(32), nullable=True),
        sa.Column("approved_at", _TIME, nullable=True),
        sa.Column("sound_at", _TIME, nullable=True),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("per_hour", sa.Integer(), nullable=True),
        sa.Column("rated_at", _TIME, nullable=True),
        sa.Column("called_back", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("broadcast_stage", "broadcast", ["stage", "ended_at"])
    op.create_table(
        "broadcast_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("broadcast_id", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.String(40), nullable=False),
        sa.Column("what", sa.String(10), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["broadcast_id"], ["broadcast.id"]),
    )
    op.create_index("broadcast_event_of", "broadcast_event", ["broadcast_id", "id"])
    op.create_table(
        "broadcast_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("broadcast_id", sa.Integer(), nullable=False),
        sa.Column("carrier", sa.String(20), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["broadcast_id"], ["broadcast.id"]),
        sa.UniqueConstraint("broadcast_id", "carrier"),
    )
    with op.batch_alter_table("notice") as table:
        table.add_column(sa.Column("broadcast_id", sa.Integer(), nullable=True))
        table.create_foreign_key("notice_broadcast_id", "broadcast", ["broadcast_id"], ["id"])
    op.create_index(
        "notice_broadcast", "notice", ["broadcast_id", "state", "next_attempt_at", "id"]
    )
    for statement in _huey():
        op.execute(statement)


def downgrade() -> None:
    prefix = _prefix()
    for name in ("task", "schedule", "counter", "kv"):
        op.drop_table(f"{prefix}{name}")
    op.drop_index("notice_broadcast", "notice")
    op.execute("DELETE FROM notice WHERE broadcast_id IS NOT NULL")
    with op.batch_alter_table("notice") as table:
        table.drop_constraint("notice_broadcast_id", type_="foreignkey")
        table.drop_column("broadcast_id")
    for name in ("broadcast_file", "broadcast_event", "broadcast"):
        op.drop_table(name)


def _prefix() -> str:
    """The names are huey's: on SQLite they have no prefix."""
    return "huey_" if op.get_bind().dialect.name == "postgresql" else ""


def _huey() -> list[str]:
    """As huey 3.5 makes them (huey.storage)."""
    if prefix := _prefix():
        serial, blob, real, number = "bigserial primary key", "bytea", "double precision", "bigint"
    else:
        serial, blob, real, number = "integer not null primary key", "blob", "real", "integer"
    return [
        f"CREATE TABLE {prefix}kv (queue text not null, key text not null, value {blob} not null, "
        "primary key(queue, key))",
        f"CREATE TABLE {prefix}schedule (id {serial}, queue text not null, data {blob} not null, "
        f"timestamp {real} not null)",
        f"CREATE INDEX {prefix}schedule_queue_timestamp ON {prefix}schedule (queue, timestamp)",
        f"CREATE TABLE {prefix}task (id {serial}, queue text not null, data {blob} not null, "
        f"priority {real} not null default 0.0)",
        f"CREATE INDEX {prefix}task_queue_priority_id ON {prefix}task (queue, priority desc, id)",
        f"CREATE TABLE {prefix}counter (queue text not null, key text not null, "
        f"value {number} not null default 0, primary key(queue, key))",
    ]
