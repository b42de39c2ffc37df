"""articles with their versions, contact points, the full-text index of both and of cases"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.orm import Session

import crm.database
from crm import search

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "article",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        *_content(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_index("article_category", "article", ["category", "state"])
    op.create_index("article_review", "article", ["review_on"])
    op.create_table(
        "article_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_content(),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"]),
        sa.UniqueConstraint("article_id", "number"),
    )
    op.create_table(
        "contact_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("area", sa.String(8), nullable=False),
        sa.Column("address", sa.String(240), nullable=False),
        sa.Column("hours", sa.String(200), nullable=False),
        sa.Column("phones", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_index("contact_point_area", "contact_point", ["kind", "area"])
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # words come ready-made from crm.search: no accents are taken off, no places are kept
        op.execute(
            "CREATE VIRTUAL TABLE search_text USING fts5(words,"
            " tokenize = 'unicode61 remove_diacritics 0', detail = none, prefix = '4 5')"
        )
    else:
        op.execute("CREATE TABLE search_text (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX search_words ON search_text USING gin (words)")
    _index_cases(connection)


def _content() -> list[sa.Column[object]]:
    return [
        sa.Column("category", sa.String(24), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
    ]


def _index_cases(connection: sa.Connection) -> None:
    cases = connection.execute(sa.text("SELECT id, code, summary, answer FROM citizen_case"))
    with Session(connection) as session:
        for case in cases.all():
            search.put(
                session, search.Kind.CASE, case.id, case.code,
                f"{case.summary} {case.answer or ''}",
            )


def downgrade() -> None:
    op.execute("DROP TABLE search_text")
    for table in ("contact_point", "article_version", "article"):
        op.drop_table(table)
