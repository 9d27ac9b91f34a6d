"""texts more"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_text_send_media", "text_send", ["tenant_id"], postgresql_where=sa.text("media <> '[]'::jsonb"))


def downgrade() -> None:
    op.drop_index("ix_text_send_media", "text_send")
