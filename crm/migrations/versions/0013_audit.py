"""the chain over the events of cases"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)
_ADDED = ("salt", "note_hash", "digest")


def upgrade() -> None:
    with op.batch_alter_table("case_event") as table:
        table.add_column(sa.Column("salt", sa.String(length=32), nullable=True))
        table.add_column(sa.Column("note_hash", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("digest", sa.String(length=64), nullable=True))
    digest, events = _chain_what_is_there()
    with op.batch_alter_table("case_event") as table:
        table.alter_column("note_hash", existing_type=sa.String(length=64), nullable=False)
        table.alter_column("digest", existing_type=sa.String(length=64), nullable=False)
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(head, [{"id": 1, "digest": digest, "events": events}])


def _chain_what_is_there() -> tuple[str, int]:
    """As crm.audit did when this was written."""
    event = sa.table(
        "case_event", sa.column("id", sa.Integer()), sa.column("case_id", sa.Integer()),
        sa.column("at", _TIME), sa.column("by", sa.String()), sa.column("what", sa.String()),
        sa.column("before", sa.String()), sa.column("after", sa.String()),
        sa.column("call_id", sa.String()), sa.column("details", sa.JSON()),
        sa.column("note", sa.Text()), sa.column("salt", sa.String()),
        sa.column("note_hash", sa.String()), sa.column("digest", sa.String()),
    )
    connection = op.get_bind()
    digest, rows = "0" * 64, connection.execute(sa.select(event).order_by(event.c.id)).all()
    for row in rows:
        salt = secrets.token_hex(16)
        note_hash = sha256(f"{salt}\n{row.note}".encode()).hexdigest()
        at = row.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = [
            digest, row.case_id, at, row.by, row.what, row.before, row.after, row.call_id,
            row.details, note_hash,
        ]
        digest = sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        connection.execute(
            sa.update(event).where(event.c.id == row.id)
            .values(salt=salt, note_hash=note_hash, digest=digest)
        )
    return digest, len(rows)


def downgrade() -> None:
    op.drop_table("audit_head")
    with op.batch_alter_table("case_event") as table:
        for column in _ADDED:
            table.drop_column(column)
