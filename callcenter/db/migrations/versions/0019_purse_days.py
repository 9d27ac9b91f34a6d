"""purse days

The ledger's roll-up by day, and by send and day. It is filled from the ledger by the purse's loop.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from callcenter.db import rls

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


FENCED = ('purse_mark', 'purse_day', 'purse_send_day')
DAY_SUMS = (
    'available_minor', 'reserved_minor', 'topped_up_minor', 'corrected_minor', 'set_aside_minor', 'refunded_minor',
    'given_back_minor', 'settled_minor', 'texts', 'segments', 'spendings',
)
SEND_SUMS = ('settled_minor', 'given_back_minor', 'texts', 'segments')


def upgrade() -> None:
    op.create_table('purse_mark',
    sa.Column('account_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('time_zone', sa.Text(), nullable=False),
    sa.Column('through_id', sa.BigInteger(), server_default='0', nullable=False),
    *_owned('purse_mark'),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_purse_mark'))
    )
    op.create_table('purse_day',
    sa.Column('account_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in DAY_SUMS),
    *_owned('purse_day'),
    sa.PrimaryKeyConstraint('account_id', 'day', 'user_id', 'purpose', name=op.f('pk_purse_day'))
    )
    op.create_table('purse_send_day',
    sa.Column('account_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('send_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('user_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SEND_SUMS),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_day', sa.Date(), nullable=True),
    *_owned('purse_send_day'),
    sa.PrimaryKeyConstraint(
        'account_id', 'send_id', 'day', 'user_id', 'purpose', name=op.f('pk_purse_send_day')
    )
    )
    for table in FENCED:
        op.create_index(op.f(f'ix_{table}_tenant_id'), table, ['tenant_id'], unique=False)
        for statement in rls.fence(table):
            op.execute(statement)
    op.create_index('ix_purse_send_day_account_last', 'purse_send_day', ['account_id', 'last_at'], unique=False)
    # An account's entries in order of id are in order of commit: what is behind a mark is found by this.
    op.create_index('ix_ledger_entry_account_id', 'ledger_entry', ['account_id', 'id'], unique=False)
    op.drop_index('ix_ledger_entry_account_at', table_name='ledger_entry')


def downgrade() -> None:
    op.create_index('ix_ledger_entry_account_at', 'ledger_entry', ['account_id', 'at'], unique=False)
    op.drop_index('ix_ledger_entry_account_id', table_name='ledger_entry')
    for table in reversed(FENCED):
        op.drop_table(table)


def _owned(table: str) -> tuple[sa.Column[int] | sa.ForeignKeyConstraint, ...]:
    return (
        sa.Column('tenant_id', sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ['tenant_id'], ['enterprise.id'], name=op.f(f'fk_{table}_tenant_id'), ondelete='CASCADE'
        ),
    )
