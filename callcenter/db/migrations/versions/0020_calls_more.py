"""calls more

Who talked how long in a call: one row for each agent's part. What is stored already is split by the agents' states. A
queue's own voicemail greeting. The outcome that is stored where an agent gave none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from callcenter.db import rls

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# The parts of calls that have ended: each agent's stays on the call, else the whole for the call's agent.
_SPLIT = """
INSERT INTO call_talk (tenant_id, id, call_id, user_id, role, began_at, ended_at, talk_s)
SELECT tenant_id, call_id || '/' || user_id || '/' || to_char(extract(epoch FROM began_at), 'FM9999999990.000'),
       call_id, user_id, role, began_at, ended_at, round(extract(epoch FROM ended_at - began_at)::numeric, 3)
FROM (
  SELECT c.tenant_id, c.id AS call_id, s.user_id,
         CASE WHEN s.user_id <> c.agent_id AND EXISTS (
           SELECT FROM call_party p
           WHERE p.call_id = c.id AND p.user_id = s.user_id AND p.role IN ('talk', 'consult') AND p.outcome <> 'agent'
             AND p.answered_at <= s.started_at + interval '1 s' AND p.left_at > s.started_at
         ) THEN 'guest' ELSE 'agent' END AS role,
         greatest(s.started_at, c.connected_at) AS began_at,
         least(coalesce(s.ended_at, c.ended_at), c.ended_at) AS ended_at
  FROM call c JOIN agent_state s ON s.call_id = c.id AND s.tenant_id = c.tenant_id AND s.state = 'on_call'
  WHERE c.connected_at IS NOT NULL AND c.ended_at IS NOT NULL
  UNION ALL
  SELECT c.tenant_id, c.id, c.agent_id, 'agent', c.connected_at, c.ended_at
  FROM call c
  WHERE c.connected_at IS NOT NULL AND c.ended_at IS NOT NULL AND c.agent_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM agent_state s WHERE s.call_id = c.id AND s.tenant_id = c.tenant_id AND s.state = 'on_call'
  )
) AS part
WHERE ended_at > began_at
ON CONFLICT DO NOTHING
"""

# As `dialer.actions.defaults` gives it to new enterprises.
_NO_OUTCOME = """
INSERT INTO disposition (tenant_id, code, name, name_zh, built_in, system, position, retry_after_s, max_tries)
SELECT id, 'no_outcome', 'No outcome given', '未填写结果', true, true, 99, 14400, 3 FROM enterprise
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "call_talk",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("talk_s", sa.Float(), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name="fk_call_talk_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_call_talk"),
    )
    op.create_index("ix_call_talk_tenant_id", "call_talk", ["tenant_id"])
    op.create_index("ix_call_talk_call_id", "call_talk", ["call_id"])
    op.create_index("ix_call_talk_user", "call_talk", ["tenant_id", "user_id", "began_at"])
    op.create_index("ix_agent_state_call", "agent_state", ["call_id"])
    for statement in rls.fence("call_talk"):
        op.execute(statement)
    op.execute(_SPLIT)
    false = sa.text("false")
    op.add_column("disposition", sa.Column("system", sa.Boolean(), server_default=false, nullable=False))
    op.execute(_NO_OUTCOME)
    op.add_column("queue", sa.Column("voicemail_greeting", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("queue", "voicemail_greeting")
    op.execute("DELETE FROM disposition WHERE system")
    op.drop_column("disposition", "system")
    op.drop_index("ix_agent_state_call", "agent_state")
    op.drop_table("call_talk")
