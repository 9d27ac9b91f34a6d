"""carriers

Carriers, routes and prices of the platform.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('parked_receipt',
    sa.Column('carrier_id', sa.BigInteger(), nullable=False),
    sa.Column('ref', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('code', sa.Text(), server_default='', nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_parked_receipt'))
    )
    op.create_index('ix_parked_receipt_ref', 'parked_receipt', ['carrier_id', 'ref'], unique=False)
    op.create_table('text_carrier',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('protocol', sa.Text(), nullable=False),
    sa.Column('kinds', postgresql.ARRAY(sa.Text()), server_default='{sms}', nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('bind_group', sa.Text(), server_default='', nullable=False),
    sa.Column('settings', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('window', sa.Integer(), server_default='50', nullable=False),
    sa.Column('texts_per_second', sa.Integer(), server_default='0', nullable=False),
    sa.Column('doubt', sa.Text(), server_default='keep', nullable=False),
    sa.Column('refund', sa.Text(), server_default='failed', nullable=False),
    sa.Column('receipt_wait_h', sa.Integer(), server_default='72', nullable=False),
    sa.Column('tenant_id_for_inbound', sa.BigInteger(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_carrier')),
    sa.UniqueConstraint('name', name=op.f('uq_text_carrier_name'))
    )
    op.create_table('text_route',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('carrier_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), server_default='sms', nullable=False),
    sa.Column('prefixes', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('purposes', postgresql.ARRAY(sa.Text()), server_default='{code,service,marketing}', nullable=False),
    sa.Column('priority', sa.Integer(), server_default='1', nullable=False),
    sa.Column('weight', sa.Integer(), server_default='1', nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('price_minor', sa.Integer(), nullable=False),
    sa.Column('currency', sa.Text(), server_default='CNY', nullable=False),
    sa.Column('sender', sa.Text(), server_default='', nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['carrier_id'], ['text_carrier.id'], name=op.f('fk_text_route_carrier_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_route')),
    sa.UniqueConstraint('name', name=op.f('uq_text_route_name'))
    )
    op.create_table('text_price',
    sa.Column('route_id', sa.BigInteger(), nullable=False),
    sa.Column('enterprise_id', sa.BigInteger(), nullable=False),
    sa.Column('price_minor', sa.Integer(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['enterprise_id'], ['enterprise.id'], name=op.f('fk_text_price_enterprise_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['route_id'], ['text_route.id'], name=op.f('fk_text_price_route_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_price'))
    )
    op.create_index('ix_text_price_route', 'text_price', ['route_id', 'enterprise_id', 'valid_from'], unique=False)


def downgrade() -> None:
    op.drop_table('text_price')
    op.drop_table('text_route')
    op.drop_table('text_carrier')
    op.drop_table('parked_receipt')
