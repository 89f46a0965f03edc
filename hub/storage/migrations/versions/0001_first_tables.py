"""First tables."""

from __future__ import annotations

from alembic import op
import sqlalchemy as sa
import hub.storage.tables


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('agents',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('display', sa.Text(), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('disabled_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agents')),
    sa.UniqueConstraint('email', name=op.f('uq_agents_email'))
    )
    op.create_table('alerts',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('resolved_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alerts'))
    )
    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.create_index('ix_alerts_open', ['kind', 'subject', 'resolved_at'], unique=False)

    op.create_table('audit',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('event', sa.String(length=64), nullable=False),
    sa.Column('facts', sa.Text(), nullable=False),
    sa.Column('prev', sa.String(length=43), nullable=False),
    sa.Column('hash', sa.String(length=43), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_audit'))
    )
    op.create_table('counters',
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('value', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_counters'))
    )
    op.create_table('forks',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('env', sa.Text(), nullable=False),
    sa.Column('data', sa.Text(), nullable=True),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_forks'))
    )
    op.create_table('handoff_streams',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('handoff_id', sa.String(length=36), nullable=False),
    sa.Column('out_hseq', sa.BigInteger(), nullable=False),
    sa.Column('out_hhead', sa.String(length=43), nullable=False),
    sa.Column('in_hseq', sa.BigInteger(), nullable=False),
    sa.Column('in_hhead', sa.String(length=43), nullable=False),
    sa.PrimaryKeyConstraint('link_id', 'handoff_id', name=op.f('pk_handoff_streams'))
    )
    op.create_table('hop_refs',
    sa.Column('upstream_id', sa.String(length=36), nullable=False),
    sa.Column('below', sa.String(length=73), nullable=False),
    sa.Column('hop_id', sa.String(length=36), nullable=False),
    sa.PrimaryKeyConstraint('upstream_id', 'below', name=op.f('pk_hop_refs')),
    sa.UniqueConstraint('hop_id', name=op.f('uq_hop_refs_hop_id'))
    )
    op.create_table('hop_tokens',
    sa.Column('token', sa.String(length=22), nullable=False),
    sa.Column('handoff_id', sa.String(length=36), nullable=False),
    sa.PrimaryKeyConstraint('token', name=op.f('pk_hop_tokens'))
    )
    op.create_table('idempotency_keys',
    sa.Column('agent_id', sa.String(length=36), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('request_hash', sa.String(length=64), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('agent_id', 'key', name=op.f('pk_idempotency_keys'))
    )
    op.create_table('invitations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('peer_label', sa.Text(), nullable=False),
    sa.Column('secret_hash', sa.Text(), nullable=False),
    sa.Column('offer', sa.Text(), nullable=False),
    sa.Column('compare', sa.Boolean(), nullable=False),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('created_by', sa.String(length=36), nullable=False),
    sa.Column('expires_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('link_id', sa.String(length=36), nullable=True),
    sa.Column('revoked_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invitations'))
    )
    op.create_table('item_refs',
    sa.Column('handoff_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=4), nullable=False),
    sa.Column('remote_id', sa.String(length=36), nullable=False),
    sa.Column('local_id', sa.String(length=36), nullable=False),
    sa.Column('sent', sa.Boolean(), nullable=False),
    sa.Column('message_id', sa.String(length=36), nullable=True),
    sa.PrimaryKeyConstraint('handoff_id', 'kind', 'remote_id', name=op.f('pk_item_refs')),
    sa.UniqueConstraint('handoff_id', 'kind', 'local_id', name=op.f('uq_item_refs_handoff_id_kind_local_id'))
    )
    with op.batch_alter_table('item_refs', schema=None) as batch_op:
        batch_op.create_index('ix_item_refs_local_id', ['local_id'], unique=False)

    op.create_table('key_sets',
    sa.Column('node_id', sa.String(length=43), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('jws', sa.Text(), nullable=False),
    sa.Column('stored_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('node_id', 'version', name=op.f('pk_key_sets'))
    )
    op.create_table('links',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=24), nullable=False),
    sa.Column('inviter', sa.Boolean(), nullable=False),
    sa.Column('invitation_id', sa.String(length=36), nullable=False),
    sa.Column('peer_node_id', sa.String(length=43), nullable=False),
    sa.Column('peer_name', sa.Text(), nullable=False),
    sa.Column('peer_base_url', sa.Text(), nullable=False),
    sa.Column('peer_identity', sa.Text(), nullable=False),
    sa.Column('peer_key_set_version', sa.BigInteger(), nullable=False),
    sa.Column('agreement', sa.Text(), nullable=True),
    sa.Column('agreement_hash', sa.String(length=43), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('our_signature', sa.Text(), nullable=True),
    sa.Column('peer_signature', sa.Text(), nullable=True),
    sa.Column('digits_confirmed_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('handshake', sa.Text(), nullable=True),
    sa.Column('suspended_by_us', sa.Boolean(), nullable=False),
    sa.Column('suspended_by_peer', sa.Boolean(), nullable=False),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('active_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('closed_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('closed_by_peer_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_links'))
    )
    with op.batch_alter_table('links', schema=None) as batch_op:
        batch_op.create_index('ix_links_peer_node_id', ['peer_node_id'], unique=False)
        batch_op.create_index('ix_links_state', ['state'], unique=False)

    op.create_table('node',
    sa.Column('only', sa.Integer(), nullable=False),
    sa.Column('node_id', sa.String(length=43), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('base_url', sa.Text(), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('only', name=op.f('pk_node'))
    )
    op.create_table('tickets',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('priority', sa.String(length=8), nullable=False),
    sa.Column('service', sa.Text(), nullable=False),
    sa.Column('requester', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('contact', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('site', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('asset', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.Column('checklist', sa.JSON(), nullable=False),
    sa.Column('due_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('assignee_id', sa.String(length=36), nullable=True),
    sa.Column('created_by', sa.String(length=36), nullable=True),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('updated_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tickets')),
    sa.UniqueConstraint('number', name=op.f('uq_tickets_number'))
    )
    with op.batch_alter_table('tickets', schema=None) as batch_op:
        batch_op.create_index('ix_tickets_status', ['status', 'id'], unique=False)

    op.create_table('api_tokens',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('agent_id', sa.String(length=36), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('created_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('expires_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('last_used_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('revoked_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_api_tokens_agent_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_tokens_token_hash'))
    )
    op.create_table('attachments',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('ticket_id', sa.String(length=36), nullable=False),
    sa.Column('comment_id', sa.String(length=36), nullable=True),
    sa.Column('visibility', sa.String(length=8), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('media_type', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(length=43), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('redacted_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('origin_handoff_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_attachments_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachments'))
    )
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.create_index('ix_attachments_sha256', ['sha256'], unique=False)
        batch_op.create_index('ix_attachments_ticket_id', ['ticket_id', 'id'], unique=False)

    op.create_table('comments',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('ticket_id', sa.String(length=36), nullable=False),
    sa.Column('visibility', sa.String(length=8), nullable=False),
    sa.Column('author_ref', sa.Text(), nullable=False),
    sa.Column('author', sa.Text(), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('format', sa.String(length=8), nullable=False),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('rev', sa.BigInteger(), nullable=False),
    sa.Column('edited_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('redacted_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('reply_to', sa.String(length=36), nullable=True),
    sa.Column('origin_handoff_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_comments_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_comments'))
    )
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.create_index('ix_comments_ticket_id', ['ticket_id', 'id'], unique=False)

    op.create_table('deliveries',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('next_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('failing_since', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('last_ok_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('lease_owner', sa.String(length=32), nullable=True),
    sa.Column('lease_until', hub.storage.tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_deliveries_link_id')),
    sa.PrimaryKeyConstraint('link_id', name=op.f('pk_deliveries'))
    )
    op.create_table('epochs',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('direction', sa.String(length=3), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('start_seq', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_epochs_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'direction', 'epoch', name=op.f('pk_epochs'))
    )
    op.create_table('fetches',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('sha256', sa.String(length=43), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_fetches_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'sha256', name=op.f('pk_fetches'))
    )
    with op.batch_alter_table('fetches', schema=None) as batch_op:
        batch_op.create_index('ix_fetches_state', ['state', 'next_at'], unique=False)

    op.create_table('handoffs',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('ticket_id', sa.String(length=36), nullable=False),
    sa.Column('party', sa.String(length=12), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('since', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('peer_number', sa.Text(), nullable=True),
    sa.Column('withheld', sa.JSON(), nullable=False),
    sa.Column('hops', sa.JSON(), nullable=False),
    sa.Column('hop_limit', sa.Integer(), nullable=False),
    sa.Column('offered_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('valid_until', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('due_requested', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('due_promised', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('eta', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('assignee', sa.Text(), nullable=True),
    sa.Column('stage', sa.Text(), nullable=True),
    sa.Column('plan', sa.Text(), nullable=True),
    sa.Column('pend_reason', sa.String(length=24), nullable=True),
    sa.Column('pend_until', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('stops_clock', sa.Boolean(), nullable=True),
    sa.Column('resolution', sa.Text(), nullable=True),
    sa.Column('resolution_code', sa.Text(), nullable=True),
    sa.Column('effort_minutes', sa.Integer(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('work_started', sa.Boolean(), nullable=False),
    sa.Column('request', sa.String(length=16), nullable=True),
    sa.Column('request_id', sa.String(length=36), nullable=True),
    sa.Column('request_reason', sa.Text(), nullable=True),
    sa.Column('request_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('request_deadline', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('detached_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('resolved_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('confirmed_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('closed_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.Column('score', sa.Integer(), nullable=True),
    sa.Column('rating_criteria', sa.JSON(), nullable=True),
    sa.Column('rating_text', sa.Text(), nullable=True),
    sa.Column('rating_rev', sa.BigInteger(), nullable=False),
    sa.Column('rating_reply', sa.Text(), nullable=True),
    sa.Column('rating_reply_rev', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_handoffs_link_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_handoffs_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_handoffs'))
    )
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        batch_op.create_index('ix_handoffs_link_id', ['link_id', 'state'], unique=False)
        batch_op.create_index('ix_handoffs_state', ['state', 'since'], unique=False)
        batch_op.create_index('ix_handoffs_ticket_id', ['ticket_id'], unique=False)

    op.create_table('inbox',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('type', sa.String(length=100), nullable=False),
    sa.Column('must', sa.Boolean(), nullable=False),
    sa.Column('schema', sa.String(length=105), nullable=False),
    sa.Column('handoff_id', sa.String(length=36), nullable=True),
    sa.Column('hseq', sa.BigInteger(), nullable=True),
    sa.Column('hash', sa.String(length=43), nullable=False),
    sa.Column('env', sa.Text(), nullable=False),
    sa.Column('data', sa.Text(), nullable=True),
    sa.Column('stored_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('settled_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_inbox_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'seq', name=op.f('pk_inbox'))
    )
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.create_index('ix_inbox_handoff_id', ['handoff_id'], unique=False)
        batch_op.create_index('ix_inbox_id', ['link_id', 'id'], unique=False)
        batch_op.create_index('ix_inbox_state', ['state', 'link_id', 'seq'], unique=False)

    op.create_table('link_keys',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('kid', sa.String(length=43), nullable=False),
    sa.Column('use', sa.String(length=4), nullable=False),
    sa.Column('jwk', sa.Text(), nullable=False),
    sa.Column('from_seq', sa.BigInteger(), nullable=False),
    sa.Column('until_seq', sa.BigInteger(), nullable=True),
    sa.Column('not_after', hub.storage.tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_link_keys_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'kid', name=op.f('pk_link_keys'))
    )
    op.create_table('outbox',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('type', sa.String(length=64), nullable=False),
    sa.Column('control', sa.Boolean(), nullable=False),
    sa.Column('handoff_id', sa.String(length=36), nullable=True),
    sa.Column('hseq', sa.BigInteger(), nullable=True),
    sa.Column('hash', sa.String(length=43), nullable=False),
    sa.Column('env', sa.Text(), nullable=False),
    sa.Column('data', sa.Text(), nullable=True),
    sa.Column('sealed_at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('settled_at', hub.storage.tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_outbox_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'seq', name=op.f('pk_outbox')),
    sa.UniqueConstraint('id', name=op.f('uq_outbox_id'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_handoff_id', ['handoff_id'], unique=False)
        batch_op.create_index('ix_outbox_pending', ['link_id', 'state', 'seq'], unique=False)
        batch_op.create_index('ix_outbox_state', ['state'], unique=False)

    op.create_table('receipts',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('direction', sa.String(length=8), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('upto', sa.BigInteger(), nullable=False),
    sa.Column('jws', sa.Text(), nullable=False),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_receipts_link_id')),
    sa.PrimaryKeyConstraint('link_id', 'direction', 'epoch', 'upto', name=op.f('pk_receipts'))
    )
    op.create_table('streams',
    sa.Column('link_id', sa.String(length=36), nullable=False),
    sa.Column('out_epoch', sa.BigInteger(), nullable=False),
    sa.Column('out_seq', sa.BigInteger(), nullable=False),
    sa.Column('out_head', sa.String(length=43), nullable=False),
    sa.Column('receipted_seq', sa.BigInteger(), nullable=False),
    sa.Column('in_epoch', sa.BigInteger(), nullable=False),
    sa.Column('in_seq', sa.BigInteger(), nullable=False),
    sa.Column('in_head', sa.String(length=43), nullable=False),
    sa.Column('applied_seq', sa.BigInteger(), nullable=False),
    sa.Column('applied_head', sa.String(length=43), nullable=False),
    sa.ForeignKeyConstraint(['link_id'], ['links.id'], name=op.f('fk_streams_link_id')),
    sa.PrimaryKeyConstraint('link_id', name=op.f('pk_streams'))
    )
    op.create_table('handoff_events',
    sa.Column('handoff_id', sa.String(length=36), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('at', hub.storage.tables.Instant(length=27), nullable=False),
    sa.Column('party', sa.String(length=12), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('event', sa.String(length=32), nullable=False),
    sa.Column('before', sa.String(length=16), nullable=True),
    sa.Column('after', sa.String(length=16), nullable=True),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('message_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['handoff_id'], ['handoffs.id'], name=op.f('fk_handoff_events_handoff_id')),
    sa.PrimaryKeyConstraint('handoff_id', 'n', name=op.f('pk_handoff_events'))
    )
    op.create_table('hops',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('handoff_id', sa.String(length=36), nullable=False),
    sa.Column('above', sa.String(length=36), nullable=True),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('display', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('since', hub.storage.tables.Instant(length=27), nullable=False),
    sa.ForeignKeyConstraint(['handoff_id'], ['handoffs.id'], name=op.f('fk_hops_handoff_id')),
    sa.PrimaryKeyConstraint('id', 'handoff_id', name=op.f('pk_hops'))
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table('hops')
    op.drop_table('handoff_events')
    op.drop_table('streams')
    op.drop_table('receipts')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index('ix_outbox_state')
        batch_op.drop_index('ix_outbox_pending')
        batch_op.drop_index('ix_outbox_handoff_id')

    op.drop_table('outbox')
    op.drop_table('link_keys')
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.drop_index('ix_inbox_state')
        batch_op.drop_index('ix_inbox_id')
        batch_op.drop_index('ix_inbox_handoff_id')

    op.drop_table('inbox')
    with op.batch_alter_table('handoffs', schema=None) as batch_op:
        batch_op.drop_index('ix_handoffs_ticket_id')
        batch_op.drop_index('ix_handoffs_state')
        batch_op.drop_index('ix_handoffs_link_id')

    op.drop_table('handoffs')
    with op.batch_alter_table('fetches', schema=None) as batch_op:
        batch_op.drop_index('ix_fetches_state')

    op.drop_table('fetches')
    op.drop_table('epochs')
    op.drop_table('deliveries')
    with op.batch_alter_table('comments', schema=None) as batch_op:
        batch_op.drop_index('ix_comments_ticket_id')

    op.drop_table('comments')
    with op.batch_alter_table('attachments', schema=None) as batch_op:
        batch_op.drop_index('ix_attachments_ticket_id')
        batch_op.drop_index('ix_attachments_sha256')

    op.drop_table('attachments')
    op.drop_table('api_tokens')
    with op.batch_alter_table('tickets', schema=None) as batch_op:
        batch_op.drop_index('ix_tickets_status')

    op.drop_table('tickets')
    op.drop_table('node')
    with op.batch_alter_table('links', schema=None) as batch_op:
        batch_op.drop_index('ix_links_state')
        batch_op.drop_index('ix_links_peer_node_id')

    op.drop_table('links')
    op.drop_table('key_sets')
    with op.batch_alter_table('item_refs', schema=None) as batch_op:
        batch_op.drop_index('ix_item_refs_local_id')

    op.drop_table('item_refs')
    op.drop_table('invitations')
    op.drop_table('idempotency_keys')
    op.drop_table('hop_tokens')
    op.drop_table('hop_refs')
    op.drop_table('handoff_streams')
    op.drop_table('forks')
    op.drop_table('counters')
    op.drop_table('audit')
    with op.batch_alter_table('alerts', schema=None) as batch_op:
        batch_op.drop_index('ix_alerts_open')

    op.drop_table('alerts')
    op.drop_table('agents')
