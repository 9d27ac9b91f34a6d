"""prompts and tasks"""

from __future__ import annotations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """See the title."""


def downgrade() -> None:
    """See the title."""
