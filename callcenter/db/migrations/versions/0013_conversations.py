"""conversations

Texts that come in, conversations, automatic answers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


FENCED = ('text_answering', 'text_conversation', 'text_forward', 'text_inbound', 'text_keyword')


def upgrade() -> None:
    op.create_table('text_answering',
    sa.Column('out_words', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('in_words', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('off_words', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('first_word', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('out_reply', sa.Text(), nullable=True),
    sa.Column('in_reply', sa.Text(), nullable=True),
    sa.Column('answers_per_hour', sa.SmallInteger(), server_default='3', nullable=False),
    sa.Column('webhook_on', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('webhook_url', sa.Text(), server_default='', nullable=False),
    sa.Column('webhook_secret', sa.Text(), server_default='', nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_answering_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_answering')),
    sa.UniqueConstraint('tenant_id', name=op.f('uq_text_answering_tenant_id'))
    )
    op.create_index(op.f('ix_text_answering_tenant_id'), 'text_answering', ['tenant_id'], unique=False)
    op.create_table('text_forward',
    sa.Column('inbound_id', sa.BigInteger(), nullable=True),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('body', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('state', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('tries', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('answer', sa.Text(), server_default='', nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_forward_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_forward'))
    )
    op.create_index('ix_text_forward_due', 'text_forward', ['next_at'], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_index('ix_text_forward_tenant_created', 'text_forward', ['tenant_id', 'created_at'], unique=False)
    op.create_index(op.f('ix_text_forward_tenant_id'), 'text_forward', ['tenant_id'], unique=False)
    op.create_table('text_inbound',
    sa.Column('carrier_id', sa.BigInteger(), nullable=False),
    sa.Column('ref', sa.Text(), server_default='', nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('phone_e164', sa.Text(), nullable=False),
    sa.Column('to', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('media', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('send_id', sa.BigInteger(), nullable=True),
    sa.Column('user_id', sa.BigInteger(), nullable=True),
    sa.Column('did', sa.Text(), server_default='', nullable=False),
    sa.Column('keyword', sa.Text(), server_default='', nullable=False),
    sa.Column('rule_id', sa.BigInteger(), nullable=True),
    sa.Column('confirmed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_inbound_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_inbound'))
    )
    op.create_index('ix_text_inbound_created', 'text_inbound', ['tenant_id', 'created_at'], unique=False)
    op.create_index('ix_text_inbound_digest', 'text_inbound', ['digest'], unique=False)
    op.create_index('ix_text_inbound_message', 'text_inbound', ['message_id'], unique=False, postgresql_where=sa.text('message_id IS NOT NULL'))
    op.create_index('ix_text_inbound_phone', 'text_inbound', ['tenant_id', 'phone_e164', 'at'], unique=False)
    op.create_index(op.f('ix_text_inbound_tenant_id'), 'text_inbound', ['tenant_id'], unique=False)
    op.create_table('unclaimed_text',
    sa.Column('carrier_id', sa.BigInteger(), nullable=False),
    sa.Column('ref', sa.Text(), server_default='', nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('phone_e164', sa.Text(), nullable=False),
    sa.Column('to', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('media', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('enterprise_id', sa.BigInteger(), nullable=True),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['enterprise_id'], ['enterprise.id'], name=op.f('fk_unclaimed_text_enterprise_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unclaimed_text'))
    )
    op.create_index('ix_unclaimed_text_digest', 'unclaimed_text', ['digest'], unique=False)
    op.create_table('text_keyword',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('words', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('match', sa.Text(), server_default='whole', nullable=False),
    sa.Column('template_id', sa.BigInteger(), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('position', sa.Integer(), server_default='0', nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['template_id'], ['text_template.id'], name=op.f('fk_text_keyword_template_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_keyword_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_keyword')),
    sa.UniqueConstraint('tenant_id', 'name', name=op.f('uq_text_keyword_tenant_id_name'))
    )
    op.create_index(op.f('ix_text_keyword_template_id'), 'text_keyword', ['template_id'], unique=False)
    op.create_index(op.f('ix_text_keyword_tenant_id'), 'text_keyword', ['tenant_id'], unique=False)
    op.create_table('text_conversation',
    sa.Column('phone_e164', sa.Text(), nullable=False),
    sa.Column('customer_id', sa.BigInteger(), nullable=True),
    sa.Column('contact_id', sa.BigInteger(), nullable=True),
    sa.Column('assigned_to', sa.BigInteger(), nullable=True),
    sa.Column('assigned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('unread', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_body', sa.Text(), server_default='', nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['assigned_to'], ['user_account.id'], name=op.f('fk_text_conversation_assigned_to'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_text_conversation_contact_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['customer_id'], ['customer.id'], name=op.f('fk_text_conversation_customer_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_conversation_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_conversation')),
    sa.UniqueConstraint('tenant_id', 'phone_e164', name=op.f('uq_text_conversation_tenant_id_phone_e164'))
    )
    op.create_index('ix_text_conversation_assigned_to', 'text_conversation', ['assigned_to'], unique=False, postgresql_where=sa.text('assigned_to IS NOT NULL'))
    op.create_index('ix_text_conversation_customer_id', 'text_conversation', ['customer_id'], unique=False, postgresql_where=sa.text('customer_id IS NOT NULL'))
    op.create_index('ix_text_conversation_order', 'text_conversation', ['tenant_id', sa.text('(unread > 0) DESC'), sa.text('last_at DESC')], unique=False)
    op.create_index(op.f('ix_text_conversation_tenant_id'), 'text_conversation', ['tenant_id'], unique=False)
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_table('text_conversation')
    op.drop_table('text_keyword')
    op.drop_table('unclaimed_text')
    op.drop_table('text_inbound')
    op.drop_table('text_forward')
    op.drop_table('text_answering')
