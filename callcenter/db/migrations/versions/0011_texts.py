"""texts

Sends, texts, templates, words, opt-outs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


FENCED = ('built_in_word_off', 'opt_out', 'sensitive_word', 'text_message', 'text_part', 'text_rule', 'text_send', 'text_template', 'word_exception')
# Permission → the built-in roles of existing enterprises that get it.
GIVEN = {
    'texts.send': ['owner', 'admin', 'supervisor', 'agent'],
    'texts.read': ['owner', 'admin', 'supervisor', 'agent'],
    'texts.approve': ['owner', 'admin', 'supervisor'],
    'texts.templates': ['owner', 'admin', 'supervisor'],
    'texts.reports': ['owner', 'admin', 'supervisor'],
    'words.read': ['owner', 'admin', 'supervisor'],
    'words.write': ['owner', 'admin'],
    'optouts.read': ['owner', 'admin', 'supervisor'],
    'optouts.write': ['owner', 'admin'],
}


def upgrade() -> None:
    op.create_table('text_message',
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('send_id', sa.BigInteger(), nullable=False),
    sa.Column('phone_e164', sa.Text(), nullable=False),
    sa.Column('contact_id', sa.BigInteger(), nullable=True),
    sa.Column('customer_id', sa.BigInteger(), nullable=True),
    sa.Column('body', sa.Text(), nullable=True),
    sa.Column('encoding', sa.Text(), server_default='', nullable=False),
    sa.Column('segments', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('sender', sa.Text(), server_default='', nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), server_default='2', nullable=False),
    sa.Column('check_name', sa.Text(), server_default='', nullable=False),
    sa.Column('rule', sa.Text(), server_default='', nullable=False),
    sa.Column('detail', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('route_id', sa.BigInteger(), nullable=True),
    sa.Column('carrier_id', sa.BigInteger(), nullable=True),
    sa.Column('price_minor', sa.Integer(), server_default='0', nullable=False),
    sa.Column('charged_minor', sa.Integer(), server_default='0', nullable=False),
    sa.Column('reservation_id', sa.BigInteger(), nullable=True),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('leased_by', sa.Text(), nullable=True),
    sa.Column('leased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('doubt', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('error_code', sa.Text(), server_default='', nullable=False),
    sa.Column('error', sa.Text(), server_default='', nullable=False),
    sa.Column('journey', postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('final_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_message')),
    sa.UniqueConstraint('send_id', 'phone_e164', name=op.f('uq_text_message_send_id_phone_e164')),
    postgresql_with={'fillfactor': '70'}
    )
    op.create_index('ix_text_message_created', 'text_message', ['created_at'], unique=False, postgresql_using='brin')
    op.create_index('ix_text_message_held', 'text_message', ['send_id'], unique=False, postgresql_where=sa.text("state = 'approval'"))
    op.create_index('ix_text_message_leased', 'text_message', ['carrier_id'], unique=False, postgresql_where=sa.text("state = 'submitting'"))
    op.create_index('ix_text_message_phone', 'text_message', ['tenant_id', 'phone_e164', 'created_at'], unique=False)
    op.create_index('ix_text_message_queue', 'text_message', ['carrier_id', 'rank', 'send_id', 'not_before', 'id'], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_table('text_part',
    sa.Column('carrier_id', sa.BigInteger(), nullable=False),
    sa.Column('ref', sa.Text(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('part', sa.SmallInteger(), nullable=False),
    sa.Column('state', sa.Text(), server_default='submitted', nullable=False),
    sa.Column('code', sa.Text(), server_default='', nullable=False),
    sa.Column('final_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('carrier_id', 'ref', 'message_id', name=op.f('pk_text_part'))
    )
    op.create_index('ix_text_part_message', 'text_part', ['message_id'], unique=False)
    op.create_table('built_in_word_off',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_built_in_word_off_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('key', 'tenant_id', name=op.f('pk_built_in_word_off'))
    )
    op.create_table('opt_out',
    sa.Column('phone_e164', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), server_default='manual', nullable=False),
    sa.Column('keyword', sa.Text(), server_default='', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('created_by', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_by', sa.BigInteger(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_opt_out_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opt_out'))
    )
    op.create_index(op.f('ix_opt_out_tenant_id'), 'opt_out', ['tenant_id'], unique=False)
    op.create_index('uq_opt_out_now', 'opt_out', ['tenant_id', 'phone_e164'], unique=True, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('sensitive_word',
    sa.Column('word', sa.Text(), nullable=False),
    sa.Column('category', sa.Text(), server_default='own', nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_by', sa.BigInteger(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_sensitive_word_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sensitive_word')),
    sa.UniqueConstraint('tenant_id', 'word', name=op.f('uq_sensitive_word_tenant_id_word'))
    )
    op.create_index(op.f('ix_sensitive_word_tenant_id'), 'sensitive_word', ['tenant_id'], unique=False)
    op.create_table('text_template',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), server_default='sms', nullable=False),
    sa.Column('purpose', sa.Text(), server_default='marketing', nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('media', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('at_desk', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_by', sa.BigInteger(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_template_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_template')),
    sa.UniqueConstraint('tenant_id', 'name', name=op.f('uq_text_template_tenant_id_name'))
    )
    op.create_index(op.f('ix_text_template_tenant_id'), 'text_template', ['tenant_id'], unique=False)
    op.create_table('word_exception',
    sa.Column('phrase', sa.Text(), nullable=False),
    sa.Column('created_by', sa.BigInteger(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_word_exception_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_word_exception')),
    sa.UniqueConstraint('tenant_id', 'phrase', name=op.f('uq_word_exception_tenant_id_phrase'))
    )
    op.create_index(op.f('ix_word_exception_tenant_id'), 'word_exception', ['tenant_id'], unique=False)
    op.create_table('text_rule',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('occasion', sa.Text(), nullable=False),
    sa.Column('template_id', sa.BigInteger(), nullable=False),
    sa.Column('groups', postgresql.ARRAY(sa.BigInteger()), server_default='{}', nullable=False),
    sa.Column('lists', postgresql.ARRAY(sa.BigInteger()), server_default='{}', nullable=False),
    sa.Column('field', sa.Text(), server_default='', nullable=False),
    sa.Column('days_before', sa.Integer(), server_default='0', nullable=False),
    sa.Column('at', sa.Text(), server_default='09:30', nullable=False),
    sa.Column('sender_id', sa.BigInteger(), nullable=True),
    sa.Column('last_day', sa.Date(), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['sender_id'], ['user_account.id'], name=op.f('fk_text_rule_sender_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['template_id'], ['text_template.id'], name=op.f('fk_text_rule_template_id')),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_rule_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_rule')),
    sa.UniqueConstraint('tenant_id', 'name', name=op.f('uq_text_rule_tenant_id_name'))
    )
    op.create_index(op.f('ix_text_rule_tenant_id'), 'text_rule', ['tenant_id'], unique=False)
    op.create_table('text_send',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), server_default='', nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('signature', sa.Text(), server_default='', nullable=False),
    sa.Column('media', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('template_id', sa.BigInteger(), nullable=True),
    sa.Column('rule_id', sa.BigInteger(), nullable=True),
    sa.Column('call_id', sa.Text(), nullable=True),
    sa.Column('sender_id', sa.BigInteger(), nullable=True),
    sa.Column('service_number', sa.Text(), server_default='', nullable=False),
    sa.Column('audience', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('cursor', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('state', sa.Text(), server_default='preparing', nullable=False),
    sa.Column('not_before', sa.DateTime(timezone=True), nullable=True),
    sa.Column('local_time', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('outside_hours', sa.Text(), server_default='wait', nullable=False),
    sa.Column('valid_h', sa.Integer(), server_default='24', nullable=False),
    sa.Column('needs_approval', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('decided_by', sa.BigInteger(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decision', sa.Text(), server_default='', nullable=False),
    sa.Column('error', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('asked', sa.Integer(), server_default='0', nullable=False),
    sa.Column('duplicates', sa.Integer(), server_default='0', nullable=False),
    sa.Column('approval', sa.Integer(), server_default='0', nullable=False),
    sa.Column('queued', sa.Integer(), server_default='0', nullable=False),
    sa.Column('submitting', sa.Integer(), server_default='0', nullable=False),
    sa.Column('submitted', sa.Integer(), server_default='0', nullable=False),
    sa.Column('doubtful', sa.Integer(), server_default='0', nullable=False),
    sa.Column('delivered', sa.Integer(), server_default='0', nullable=False),
    sa.Column('failed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('expired', sa.Integer(), server_default='0', nullable=False),
    sa.Column('refused', sa.Integer(), server_default='0', nullable=False),
    sa.Column('cancelled', sa.Integer(), server_default='0', nullable=False),
    sa.Column('charged_minor', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('segments', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('tenant_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['sender_id'], ['user_account.id'], name=op.f('fk_text_send_sender_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['template_id'], ['text_template.id'], name=op.f('fk_text_send_template_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['tenant_id'], ['enterprise.id'], name=op.f('fk_text_send_tenant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_text_send')),
    sa.UniqueConstraint('tenant_id', 'key', name=op.f('uq_text_send_tenant_id_key'))
    )
    op.create_index('ix_text_send_open', 'text_send', ['id'], unique=False, postgresql_where=sa.text("state IN ('preparing', 'approval', 'sending')"))
    op.create_index('ix_text_send_sweep', 'text_send', ['id'], unique=False, postgresql_where=sa.text("(cursor ->> 'stage') IN ('cancel', 'reject')"))
    op.create_index('ix_text_send_tenant_created', 'text_send', ['tenant_id', 'created_at'], unique=False)
    op.create_index(op.f('ix_text_send_tenant_id'), 'text_send', ['tenant_id'], unique=False)
    op.add_column('rule_set', sa.Column('text_windows', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False))
    op.add_column('rule_set', sa.Column('texts_24h', sa.Integer(), server_default='0', nullable=False))
    op.add_column('rule_set', sa.Column('texts_30d', sa.Integer(), server_default='0', nullable=False))
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
    op.drop_column('rule_set', 'texts_30d')
    op.drop_column('rule_set', 'texts_24h')
    op.drop_column('rule_set', 'text_windows')
    op.drop_table('text_send')
    op.drop_table('text_rule')
    op.drop_table('word_exception')
    op.drop_table('text_template')
    op.drop_table('sensitive_word')
    op.drop_table('opt_out')
    op.drop_table('built_in_word_off')
    op.drop_table('text_part')
    op.drop_table('text_message')
