"""texts more

A send's segments are those of its texts that went or still go: what was cancelled, expired or refused in the queue, or
refused by the carrier, counts no more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_SEGMENTS = """
UPDATE text_send s SET segments = coalesce(n.gone, 0)
FROM (
  SELECT m.send_id, sum(m.segments) FILTER (
    WHERE m.state IN ('queued', 'submitting', 'submitted', 'doubtful', 'delivered') OR m.submitted_at IS NOT NULL
  ) AS gone
  FROM text_send o JOIN text_message m ON m.send_id = o.id
  WHERE o.cancelled + o.expired + o.failed + o.refused > 0 GROUP BY m.send_id
) n WHERE s.id = n.send_id AND s.segments <> coalesce(n.gone, 0)
"""


def upgrade() -> None:
    op.create_index("ix_text_send_media", "text_send", ["tenant_id"], postgresql_where=sa.text("media <> '[]'::jsonb"))
    op.execute(_SEGMENTS)


def downgrade() -> None:
    op.drop_index("ix_text_send_media", "text_send")
