"""incidents of a branch, for a while, and prepared texts for them"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import crm.database

revision: str = "0057"
down_revision: str | None = "0056"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TIME = crm.database.UtcDateTime(timezone=True)
_SHIPPED = (
    "Hiện nay nhiều nơi trong tỉnh đang mất điện. Ngành điện đã biết và đang khắc phục",
    "Hiện nay nhiều nơi trong tỉnh đang mất nước sạch. Đơn vị cấp nước đã biết và đang khắc phục",
    "Mưa lũ đang gây ngập ở nhiều nơi. Xin đừng đi qua chỗ nước chảy xiết. Cần cứu nạn, hãy bấm "
    "phím bốn",
    "Hệ thống đăng ký tiêm chủng đang gián đoạn. Các mũi tiêm đã ghi nhận không bị mất",
)


def upgrade() -> None:
    op.add_column("incident", sa.Column("branch", sa.String(length=16), nullable=True))
    op.add_column("incident", sa.Column("until", _TIME, nullable=True))
    texts = op.create_table(
        "incident_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sound", sa.String(length=20), nullable=True),
        sa.Column("added_by", sa.String(length=32), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(texts, [
        {"text": text, "sound": None, "added_by": "hotline",
         "added_at": datetime(2026, 11, 27, tzinfo=UTC), "removed_at": None}
        for text in _SHIPPED
    ])


def downgrade() -> None:
    op.drop_table("incident_text")
    with op.batch_alter_table("incident") as table:
        table.drop_column("until")
        table.drop_column("branch")
