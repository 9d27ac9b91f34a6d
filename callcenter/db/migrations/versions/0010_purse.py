"""purse

Accounts, reservations, the ledger, top-up orders.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


FENCED = ('ledger_entry', 'purse_account', 'purse_reservation', 'top_up_order')
# Permission → the built-in roles of existing enterprises that get it.
GIVEN = {
    'purse.read': ['owner', 'admin'],
    'purse.order': ['owner'],
}

# A booking is written by one statement: its rows are all there when the statement ends.
BALANCES = """
CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE uneven text;
BEGIN
  SELECT booking INTO uneven FROM added GROUP BY booking HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF uneven IS NOT NULL THEN
    RAISE EXCEPTION 'booking % does not sum to zero', uneven USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""
BALANCES_TRIGGER = """
CREATE TRIGGER ledger_balances AFTER INSERT ON ledger_entry
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_balances()
"""
ACCOUNTS = """
INSERT INTO purse_account (tenant_id, kind, currency)
SELECT e.id, k.kind, coalesce(nullif(e.settings->>'currency', ''), 'CNY')
FROM enterprise e, (VALUES ('sms'), ('mms')) AS k(kind)
"""


def upgrade() -> None:
    op.create_table('purse_account',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('currency', sa.Text(), server_default='CNY', nullable=False),
    sa.Column('available_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('reserved_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('low_minor', sa.BigInteger(), nullable=True),
    sa.Column('low_told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('available_minor >= 0', name=op.f('ck_purse_account_available')),
    sa.CheckConstraint('reserved_minor >= 0', name=op.f('ck_purse_account_reserved')),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_purse_account_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purse_account')),
    sa.UniqueConstraint('tenant_id', 'kind', name=op.f('uq_purse_account_tenant_id_kind'))
    )
    op.create_index(op.f('ix_purse_account_tenant_id'), 'purse_account', ['tenant_id'], unique=False)
    op.create_table('ledger_entry',
    sa.Column('booking', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('side', sa.Text(), nullable=False),
    sa.Column('event', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('texts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('segments', sa.Integer(), server_default='0', nullable=False),
    sa.Column('reservation_id', sa.BigInteger(), nullable=True),
    sa.Column('send_id', sa.BigInteger(), nullable=True),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('purpose', sa.Text(), server_default='', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['purse_account.id'], name=op.f('fk_ledger_entry_account_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_ledger_entry_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_entry')),
    sa.UniqueConstraint('tenant_id', 'key', 'side', name=op.f('uq_ledger_entry_tenant_id_key_side'))
    )
    op.create_index('ix_ledger_entry_account_at', 'ledger_entry', ['account_id', 'at'], unique=False)
    op.create_index('ix_ledger_entry_event_at', 'ledger_entry', ['tenant_id', 'event', 'at'], unique=False)
    op.create_index(op.f('ix_ledger_entry_tenant_id'), 'ledger_entry', ['tenant_id'], unique=False)
    op.create_table('purse_reservation',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('send_id', sa.BigInteger(), nullable=True),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('purpose', sa.Text(), server_default='', nullable=False),
    sa.Column('texts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('held_minor', sa.BigInteger(), nullable=False),
    sa.Column('settled_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('refunded_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('amount_minor = held_minor + settled_minor + refunded_minor', name=op.f('ck_purse_reservation_whole')),
    sa.CheckConstraint('held_minor >= 0', name=op.f('ck_purse_reservation_held')),
    sa.ForeignKeyConstraint(['account_id'], ['purse_account.id'], name=op.f('fk_purse_reservation_account_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_purse_reservation_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purse_reservation')),
    sa.UniqueConstraint('tenant_id', 'key', name=op.f('uq_purse_reservation_tenant_id_key'))
    )
    op.create_index(op.f('ix_purse_reservation_tenant_id'), 'purse_reservation', ['tenant_id'], unique=False)
    op.create_table('top_up_order',
    sa.Column('key', sa.Text(), nullable=True),
    sa.Column('number', sa.Text(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('provider_ref', sa.Text(), nullable=True),
    sa.Column('state', sa.Text(), server_default='open', nullable=False),
    sa.Column('ordered_by', sa.BigInteger(), nullable=True),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('credited_by', sa.Text(), server_default='', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('detail', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['purse_account.id'], name=op.f('fk_top_up_order_account_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_top_up_order_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_top_up_order')),
    sa.UniqueConstraint('number', name=op.f('uq_top_up_order_number')),
    sa.UniqueConstraint('tenant_id', 'key', name=op.f('uq_top_up_order_tenant_id_key')),
    sa.UniqueConstraint('provider', 'provider_ref', name=op.f('uq_top_up_order_provider_provider_ref'))
    )
    op.create_index(op.f('ix_top_up_order_tenant_id'), 'top_up_order', ['tenant_id'], unique=False)
    op.create_index('ix_top_up_order_state', 'top_up_order', ['state', 'created_at'], unique=False)
    op.execute(BALANCES)
    op.execute(BALANCES_TRIGGER)
    op.execute(ACCOUNTS)
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)
    for permission, keys in GIVEN.items():
        op.execute(
            sa.text(
                "UPDATE role SET permissions = array_append(permissions, :permission)"
                " WHERE built_in AND key = ANY(:keys) AND NOT :permission = ANY(permissions)"
            ).bindparams(
                sa.bindparam("permission", permission, type_=sa.Text()),
                sa.bindparam("keys", keys, type_=postgresql.ARRAY(sa.Text())),
            )
        )


def downgrade() -> None:
    for permission in GIVEN:
        op.execute(
            sa.text("UPDATE role SET permissions = array_remove(permissions, :permission)").bindparams(
                sa.bindparam("permission", permission, type_=sa.Text())
            )
        )
    op.drop_table('top_up_order')
    op.drop_table('purse_reservation')
    op.drop_table('ledger_entry')
    op.execute("DROP FUNCTION ledger_balances()")
    op.drop_table('purse_account')
