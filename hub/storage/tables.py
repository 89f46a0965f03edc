"""Every table, in one place, as SQLAlchemy Core. The migrations build exactly this.

What travels or arrives (`env`, `data`) is kept as the text that was signed, never as JSON of
the database: the bytes are the evidence. Instants are text in UTC, so they sort and read the
same on both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC, kept as `2026-11-22T09:05:00.123456Z`."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        # A tenth of the time of strftime, which the eight instants of a message would feel.
        return value.isoformat(timespec="microseconds")[:-6] + "Z"

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# --- who we are ---------------------------------------------------------------------------

node = Table(
    "node",
    metadata,
    Column("only", Integer, primary_key=True),  # always 1: one account per node
    Column("node_id", String(43), nullable=False),
    Column("name", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("run", String(32)),  # from the first process at work until all are gone
    Column("instance", String(32)),  # the keys directory it last worked with: another after restore
    Column("run_began_at", Instant),
    Column("held_at", Instant),  # restored then: mail and desks wait; null: nothing is held
    # how requesters reach us beside their page; empty: not told
    Column("phone", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("hours", Text, nullable=False, server_default=""),
    # what an administrator decided in the console; null: as the settings say
    Column("keep_data_days", Integer),
    Column("keep_letters_days", Integer),
)

key_sets = Table(
    "key_sets",
    metadata,
    Column("node_id", String(43), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("jws", Text, nullable=False),  # as the identity key signed it
    Column("succession", JSON),  # the changes of identity that came with it, as both keys signed
    Column("stored_at", Instant, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("display", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text),  # null: cannot sign in with a password
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("language", String(2)),  # null: the node's
    Column("time_zone", String(64)),  # null: this machine's
    Column("totp_secret", Text),  # encrypted; null: a password is enough
    Column("totp_confirmed", Boolean, nullable=False, server_default=false()),
    Column("totp_step", BigInteger),  # the last one used: a code opens once
)

teams = Table(
    "teams",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", String(36), ForeignKey("teams.id"), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),  # SHA-256, hex
    Column("complete", Boolean, nullable=False),  # false: the password was right, a code is due
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("browser", Text, nullable=False),  # as it calls itself
    Column("address", Text, nullable=False),
)

access_links = Table(
    "access_links",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),  # set_up, invite, reset, sign_in
    Column("token_hash", String(64), nullable=False, unique=True),  # SHA-256, hex
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),  # or revoked: it opens nothing any more
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
    Column("code_hash", String(64), primary_key=True),  # SHA-256, hex, of 80 random bits
    Column("used_at", Instant),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),  # SHA-256, hex
    Column("scopes", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

webhooks = Table(  # programs of ours that are told what happens
    "webhooks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", JSON, nullable=False),  # what it asked for; empty: everything
    Column("secret", Text, nullable=False),  # signs what it is told; encrypted with the node's key
    Column("state", String(16), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("failing_since", Instant),  # the first failure since its last good answer
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", Instant),  # nothing is sent to it before
)

webhook_calls = Table(  # the outbox to programs
    "webhook_calls",
    metadata,
    Column("id", String(36), primary_key=True),  # the same at every attempt
    Column("webhook_id", String(36), ForeignKey("webhooks.id"), nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False),  # the bytes that are signed and sent
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant),  # of a waiting one: not before
    Column("status", Integer),  # of the last answer
    Column("error", Text),  # what happened instead of an answer
    Column("tried_at", Instant),
    Index("webhook_calls_waiting", "webhook_id", "state", "next_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("agent_id", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),  # same key, other request: refused
    Column("status", Integer),  # null: the first request has not finished
    Column("answer", Text),
    Column("created_at", Instant, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", String(64), nullable=False),
    Column("facts", Text, nullable=False),  # exact JSON text, part of the hash
    Column("prev", String(43), nullable=False),
    Column("hash", String(43), nullable=False),  # over prev and everything above
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # of the last record
    Column("head", String(43), nullable=False),  # its hash
    Column("jws", Text, nullable=False),  # both, signed by our identity key
    Column("at", Instant, nullable=False),
)

suspicions = Table(
    "suspicions",
    metadata,
    # What was refused, counted: a flood changes numbers, it makes no rows.
    Column("link_id", String(36), primary_key=True),  # empty: callers we do not know
    Column("kind", String(24), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("last_from", Text),  # the network of the last caller, where we know it
    Column("hour", Instant, nullable=False),  # when the hour began that is counted now
    Column("hour_count", BigInteger, nullable=False),  # of this hour, not in the audit log yet
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("subject", Text, nullable=False),  # what it is about; one open alert per (kind, subject)
    Column("text", Text, nullable=False),  # message id with {places}
    Column("facts", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("seen_at", Instant),  # a person has said that they know
    Column("seen_by", Text),  # what they are called
    Index("ix_alerts_open", "kind", "subject", "resolved_at"),
)

# --- links --------------------------------------------------------------------------------

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("peer_label", Text, nullable=False),  # how our people call the one invited
    Column("secret_hash", Text, nullable=False),  # SHA-256 of the secret, encrypted: the MAC key
    Column("offer", Text, nullable=False),  # what we offer, exact text
    Column("compare", Boolean, nullable=False),  # our people compare the digits before activation
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False, default=0),  # wrong MACs so far
    Column("link_id", String(36)),  # the link it became: used
    Column("revoked_at", Instant),
    Column("continues_id", String(36)),  # the mail link whose partner gets a node by it
)

links = Table(
    "links",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("state", String(24), nullable=False),
    Column("inviter", Boolean, nullable=False),  # whether we sent the invitation
    Column("invitation_id", String(36), nullable=False),
    Column("peer_node_id", String(43), nullable=False),
    Column("peer_name", Text, nullable=False),
    Column("peer_base_url", Text, nullable=False),
    Column("peer_identity", Text, nullable=False),  # JWK of the pinned identity key
    Column("peer_key_set_version", BigInteger, nullable=False),
    # the founding agreement, exact text both sign; null until the inviter composed it
    Column("agreement", Text),
    Column("agreement_hash", String(43)),  # where both streams and all hand-off chains begin
    Column("revision", Integer, nullable=False, default=1),  # in force in our stream
    Column("in_force", Text),  # the agreement of that revision; null: the first, above
    # the peer accepted a proposal of ours there; our stream follows once it acknowledges that
    Column("amended_seq", BigInteger),
    Column("our_signature", Text),
    Column("peer_signature", Text),
    Column("digits_confirmed_at", Instant),  # our person compared the digits (or waived it)
    Column("handshake", Text),  # what is needed to repeat an unfinished handshake, encrypted
    Column("suspended_by_us", Boolean, nullable=False, default=False),
    Column("suspended_by_peer", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("active_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by_peer_at", Instant),
    # our key set has to be told by a call of its own before anything else may be sent
    Column("keys_call", Boolean, nullable=False, server_default=false()),
    Column("told_version", BigInteger),  # of our key set: confirmed by such a call
    Column("kind", String(8), nullable=False, server_default="node"),  # what is on the other side
    Index("ix_links_peer_node_id", "peer_node_id"),
    Index("ix_links_state", "state"),
)

link_keys = Table(
    "link_keys",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("kid", String(43), primary_key=True),
    Column("use", String(4), nullable=False),  # msg | http
    Column("jwk", Text, nullable=False),
    Column("from_seq", BigInteger, nullable=False),  # msg keys are valid by position
    Column("until_seq", BigInteger),
    Column("not_after", Instant),  # http keys are valid by date
    Column("revoked_at", Instant),  # called off by its owner: nothing new is believed under it
    Column("trusted_seq", BigInteger),  # revoked: its owner vouches up to here, beyond is contested
)

custodies = Table(
    "custodies",
    metadata,
    # what our node keeps to play the node of a partner that has none (decision 34)
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("message_key", Text, nullable=False),  # seals what the partner says; encrypted
    Column("identity_key", Text, nullable=False),  # signs what the partner agrees to; encrypted
    Column("address", Text, nullable=False),  # where the partner is reached instead
    Column("language", String(2), nullable=False),  # in which it is written to
    Column("told_seq", BigInteger, nullable=False),  # of ours: passed on up to here
    Column("successor_id", String(36)),  # the link with the node that the partner has now
)

own_keys = Table(
    "own_keys",
    metadata,
    # our key sets as each peer gets to know them; its message key seals what follows
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("kid", String(43), nullable=False),  # the message key of this set
    # the `link.keys` that announces it: by id, which stays when it gets another position
    Column("announced_by", String(36)),  # null: from the agreement on
)

agreements = Table(
    "agreements",
    metadata,
    # every proposal to amend; those with state `agreed` are revisions 2, 3, … of the agreement
    Column("id", String(36), primary_key=True),  # of the `link.amend`
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("by_us", Boolean, nullable=False),  # who proposed it
    Column("text", Text, nullable=False),  # exact text both sign
    Column("hash", String(43), nullable=False),
    Column("our_signature", Text),
    Column("peer_signature", Text),
    Column("state", String(10), nullable=False),
    Column("reason", Text),  # why it was refused
    Column("proposed_at", Instant, nullable=False),
    Column("settled_at", Instant),
    # where it was accepted, and so where it came into force; one of the two
    Column("amended_id", String(36)),  # our `link.amended`: its position may move with an epoch
    Column("amended_seq", BigInteger),  # the position of the peer's
    Index("ix_agreements_link_id", "link_id"),
)

streams = Table(
    "streams",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    # what we send
    Column("out_epoch", BigInteger, nullable=False),
    Column("out_seq", BigInteger, nullable=False),
    Column("out_head", String(43), nullable=False),
    Column("receipted_seq", BigInteger, nullable=False),  # goes back where the peer was restored
    Column("receipted_max", BigInteger, nullable=False, server_default="0"),  # never goes back
    Column("acked_seq", BigInteger, nullable=False, server_default="0"),  # most any `ack` covered
    Column("revision", Integer, nullable=False, server_default="1"),  # of the agreement, for these
    # what we receive
    Column("in_epoch", BigInteger, nullable=False),
    Column("in_seq", BigInteger, nullable=False),
    Column("in_head", String(43), nullable=False),
    Column("applied_seq", BigInteger, nullable=False),  # all up to here are settled
    Column("applied_head", String(43), nullable=False),
    # where both sides stand is known in this run of the node; else nothing passes either way
    Column("synced", Boolean, nullable=False, server_default=false()),
    Column("reapplying", Boolean, nullable=False, server_default=false()),  # taken back, not done
    # since then a message that was said before is looked for before it is said
    Column("taken_back", Boolean, nullable=False, server_default=false()),
    # Messages are paid for until then, at the agreed rate (`hub/domain/limits.py`). Here and not
    # in memory: every batch writes this row anyway, and a restart gives nobody a full bucket.
    Column("out_paid_until", Instant),
    Column("in_paid_until", Instant),
)

epochs = Table(
    "epochs",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("direction", String(3), primary_key=True),  # out | in
    Column("epoch", BigInteger, primary_key=True),
    Column("start_seq", BigInteger, nullable=False),
    Column("instance", String(32)),  # of the node that began it; null: epoch 1, the agreement
    Column("run", String(32)),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    # one row a link: when both sides compare next, and what came of it last
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("next_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),  # in a row that could not compare everything
    Column("seq", BigInteger, nullable=False),  # of our last checkpoint; 0: none yet
    Column("asked_at", Instant),
    Column("compared_at", Instant),  # null: the answer to what was asked is not here
    Column("compared", Integer, nullable=False),  # hand-offs, in the last comparison
    Column("not_comparable", Integer, nullable=False),  # messages about them were on their way
)

differences = Table(
    "differences",
    metadata,
    Column("handoff_id", String(36), primary_key=True),
    Column("field", String(64), primary_key=True),  # empty: which one is not told yet
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("theirs", String(43)),  # hash of the peer's value; null: it has none
    Column("found_at", Instant, nullable=False),
    Index("ix_differences_link_id", "link_id"),
)

witnesses = Table(
    "witnesses",
    metadata,
    # heads of our peers' audit logs, as they signed them in their checkpoints
    Column("node_id", String(43), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("head", String(43), nullable=False),
    Column("link_id", String(36), nullable=False),
    Column("message_id", String(36), nullable=False),  # the signed message that said so
    Column("at", Instant, nullable=False),
)

voided = Table(
    "voided",
    metadata,
    # copies that a later epoch superseded: kept as evidence, never applied, never sent again
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("direction", String(3), nullable=False),  # out | in
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("id", String(36), nullable=False),
    Column("hash", String(43), nullable=False),
    Column("env", Text, nullable=False),
    Column("data", Text),
    Column("at", Instant, nullable=False),
    UniqueConstraint("link_id", "direction", "hash"),
)

returned = Table(
    "returned",
    metadata,
    # own messages that a peer we cannot call handed back, until the sync that lacks them ends
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("hash", String(43), nullable=False),
    Column("env", Text, nullable=False),
    Column("data", Text),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("next_at", Instant),  # not before; null: at once
    Column("failing_since", Instant),
    Column("last_error", Text),
    Column("last_ok_at", Instant),
    Column("collected_at", Instant),  # when a peer we cannot call last asked what is for it
    Column("paced_until", Instant),  # the agreed rate allows nothing new before; null: at once
    Column("lease_owner", String(32)),  # the process that works this link
    Column("lease_until", Instant),
)

outbox = Table(
    "outbox",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("control", Boolean, nullable=False),  # passes while the link is suspended
    Column("handoff_id", String(36)),
    Column("hseq", BigInteger),
    Column("hash", String(43), nullable=False),
    Column("env", Text, nullable=False),
    Column("data", Text),  # null once erased or pruned; the chain still verifies
    Column("sealed_at", Instant, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", Text),
    Column("settled_at", Instant),
    Column("skip_reason", Text),  # our people leave it out: a tombstone takes its place
    Column("reapply", Boolean, nullable=False, server_default=false()),  # ours, from the peer's log
    Index("ix_outbox_state", "state"),
    Index("ix_outbox_handoff_id", "handoff_id"),
    Index(
        "ix_outbox_reapply",
        "link_id",
        "seq",
        sqlite_where=text("reapply"),
        postgresql_where=text("reapply"),
    ),
)

inbox = Table(
    "inbox",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("id", String(36), nullable=False),
    Column("type", String(100), nullable=False),
    Column("must", Boolean, nullable=False),
    Column("schema", String(105), nullable=False),
    Column("handoff_id", String(36)),
    Column("hseq", BigInteger),
    Column("hash", String(43), nullable=False),
    Column("env", Text, nullable=False),
    Column("data", Text),
    Column("stored_at", Instant, nullable=False),
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", Text),
    Column("settled_at", Instant),
    # Not unique: a peer that repeats an id under another position is refused, not stopped.
    Index("ix_inbox_id", "link_id", "id"),
    Index("ix_inbox_state", "state", "link_id", "seq"),
    Index("ix_inbox_handoff_id", "handoff_id"),
)

handoff_streams = Table(
    "handoff_streams",
    metadata,
    Column("link_id", String(36), primary_key=True),
    Column("handoff_id", String(36), primary_key=True),
    Column("out_hseq", BigInteger, nullable=False, default=0),
    Column("out_hhead", String(43), nullable=False, default=""),
    Column("in_hseq", BigInteger, nullable=False, default=0),
    Column("in_hhead", String(43), nullable=False, default=""),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    # Attempts that brought no receipt; what came of the last one, its receipt says.
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("first_seq", BigInteger, nullable=False),  # of the messages that were sent together
    Column("last_seq", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("code", Text, nullable=False),  # of the error
    Column("answer", Text, nullable=False),  # what the peer said, or what happened instead
    Index("ix_delivery_attempts_link", "link_id", "at"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("direction", String(8), primary_key=True),  # received (by us, for ours) | issued
    Column("epoch", BigInteger, primary_key=True),
    Column("upto", BigInteger, primary_key=True),
    Column("jws", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

forks = Table(
    "forks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("link_id", String(36), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("env", Text, nullable=False),  # the second message for that position: proof
    Column("data", Text),
    Column("at", Instant, nullable=False),
)

# --- work ---------------------------------------------------------------------------------

tickets = Table(
    "tickets",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(32), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("service", Text, nullable=False),
    Column("requester", JSON(none_as_null=True)),
    Column("contact", JSON(none_as_null=True)),
    Column("site", JSON(none_as_null=True)),
    Column("asset", JSON(none_as_null=True)),
    Column("fields", JSON, nullable=False),  # [{name, value}]: internal unless agreed by name
    Column("checklist", JSON, nullable=False),  # [{item_id, text, done}]
    Column("due_at", Instant),
    Column("assignee_id", String(36)),
    Column("created_by", String(36)),  # null: it came by link, mail or a desk
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Ours alone, beside what may be disclosed: the rules of disclosure never see them.
    Column("team_id", String(36)),
    Column("due_source", String(12)),  # person | principal | rule; null: no deadline
    Column("customer_id", String(36)),
    Column("site_id", String(36)),
    Column("asset_id", String(36)),
    Column("visit_at", Instant),  # when our engineer is expected on site
    Column("visit_stage", String(8)),  # planned | on_way | on_site | done; null: no visit
    Index("ix_tickets_status", "status", "id"),
    Index("ix_tickets_updated_at", "updated_at", "id"),
    Index("ix_tickets_due_at", "due_at", "id"),
    Index("ix_tickets_assignee_id", "assignee_id", "status"),
    Index("ix_tickets_customer_id", "customer_id", "id"),
    Index("ix_tickets_site_id", "site_id", "id"),
    Index("ix_tickets_asset_id", "asset_id", "id"),
)

comments = Table(
    "comments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("visibility", String(8), nullable=False),
    Column("author_ref", Text, nullable=False),
    Column("author", Text, nullable=False),  # display name
    Column("role", String(16), nullable=False),
    Column("account", Text, nullable=False),  # company of the author
    Column("body", Text, nullable=False),
    Column("format", String(8), nullable=False),
    Column("at", Instant, nullable=False),
    Column("rev", BigInteger, nullable=False, default=1),
    Column("edited_at", Instant),
    Column("redacted_at", Instant),
    Column("reply_to", String(36)),
    Column("origin_handoff_id", String(36)),  # where it came from; null: written here
    Index("ix_comments_ticket_id", "ticket_id", "id"),
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("comment_id", String(36)),  # null: the ticket's own file
    Column("visibility", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(43), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", Text),
    Column("at", Instant, nullable=False),
    Column("redacted_at", Instant),
    Column("origin_handoff_id", String(36)),
    Index("ix_attachments_ticket_id", "ticket_id", "id"),
    Index("ix_attachments_sha256", "sha256"),
)

fetches = Table(
    "fetches",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("sha256", String(43), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Instant),
    Column("last_error", Text),
    Index("ix_fetches_state", "state", "next_at"),
)

handoffs = Table(
    "handoffs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("party", String(12), nullable=False),  # which side we are
    Column("state", String(16), nullable=False),
    Column("since", Instant, nullable=False),  # when that state began, by the actor's clock
    Column("round", Integer, nullable=False, default=0),  # how often the work came back
    Column("peer_number", Text),
    Column("withheld", JSON, nullable=False),  # disclosure classes switched off for this one
    Column("hops", JSON, nullable=False),
    Column("hop_limit", Integer, nullable=False),
    Column("offered_at", Instant, nullable=False),
    Column("valid_until", Instant),
    Column("due_requested", Instant),
    Column("due_promised", Instant),
    Column("eta", Instant),
    Column("assignee", Text),  # the contractor's alias for who works
    Column("stage", Text),
    Column("plan", Text),
    Column("pend_reason", String(24)),
    Column("pend_until", Instant),
    Column("stops_clock", Boolean),
    Column("resolution", Text),
    Column("resolution_code", Text),
    Column("effort_minutes", Integer),
    Column("reason", Text),  # of the last decline, return, hand back, cancel
    Column("work_started", Boolean, nullable=False, default=False),
    Column("request", String(16)),  # open request: cancel_request | retract_request
    Column("request_id", String(36)),
    Column("request_reason", Text),
    Column("request_at", Instant),
    Column("request_deadline", Instant),
    Column("consent", String(8)),  # to hand the work on: asked | granted | refused; null: never
    Column("consent_id", String(36)),  # of the question
    Column("consent_text", Text),  # what was said last: why it is asked, or why not
    Column("consent_at", Instant),  # when
    Column("detached_at", Instant),
    Column("resolved_at", Instant),
    Column("confirmed_at", Instant),
    Column("closed_at", Instant),
    Column("score", Integer),
    Column("rating_criteria", JSON),
    Column("rating_text", Text),
    Column("rating_rev", BigInteger, nullable=False, default=0),
    Column("rating_reply", Text),
    Column("rating_reply_rev", BigInteger, nullable=False, default=0),
    Index("ix_handoffs_ticket_id", "ticket_id"),
    Index("ix_handoffs_link_id", "link_id", "state"),
    Index("ix_handoffs_state", "state", "since"),
)

retention = Table(
    "retention",
    metadata,
    # hand-offs that are over: when to see again whether the texts of their messages may go
    Column("handoff_id", String(36), ForeignKey("handoffs.id"), primary_key=True),
    Column("look_at", Instant, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    # personal data of a ticket was to go: by our own admin, or because a peer asked
    Column("id", String(36), primary_key=True),  # of the peer's `data.erase`, or our own
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("at", Instant, nullable=False),  # when it was first asked for, the same along the chain
    Column("reason", Text, nullable=False),
    Column("came_by", String(36)),  # the hand-off by which a peer asked; null: our own admin
    Column("held", Text),  # a legal hold stands against it, for this reason
    Column("erased_at", Instant),  # our tables; null: not yet (held)
    Column("swept_at", Instant),  # the last text under way and the files are gone too
    Index("ix_erasures_ticket_id", "ticket_id"),
    Index("ix_erasures_swept_at", "swept_at"),
)

erasure_asks = Table(
    "erasure_asks",
    metadata,
    Column("erasure_id", String(36), ForeignKey("erasures.id"), primary_key=True),
    Column("handoff_id", String(36), primary_key=True),
    Column("message_id", String(36), unique=True),  # null: the link is closed, nobody hears it
    Column("confirmed_at", Instant),  # by the peer's clock, signed in its `data.erased`
    Column("held", Text),  # the peer keeps it for this reason and says so, signed
)

legal_holds = Table(
    "legal_holds",
    metadata,
    # nothing of these tickets is erased or pruned
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("reason", Text, nullable=False),  # told to peers that ask for an erasure
    Column("at", Instant, nullable=False),
)

held_offers = Table(
    "held_offers",
    metadata,
    # Offers our people made that wait some seconds for second thoughts: nothing is signed yet.
    Column("id", String(36), primary_key=True),  # the hand-off it will be
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False, index=True),
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("wish", JSON, nullable=False),  # what was said beside the two above
    Column("actor", String(36), nullable=False),
    Column("display", Text, nullable=False),  # what they are called
    Column("role", String(16), nullable=False),
    Column("leaves_at", Instant, nullable=False, index=True),
)

handoff_events = Table(
    "handoff_events",
    metadata,
    Column("handoff_id", String(36), ForeignKey("handoffs.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("party", String(12), nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", String(32), nullable=False),
    Column("before", String(16)),
    Column("after", String(16)),
    Column("facts", JSON, nullable=False),
    Column("message_id", String(36)),
)

item_refs = Table(
    "item_refs",
    metadata,
    # (hand-off, the other side's id) and (hand-off, our id) are each unique: nothing twice
    Column("handoff_id", String(36), primary_key=True),
    Column("kind", String(4), primary_key=True),  # cmt | att
    Column("remote_id", String(36), primary_key=True),
    Column("local_id", String(36), nullable=False),
    Column("sent", Boolean, nullable=False),  # it went out (remote_id = local_id) or came in
    Column("message_id", String(36)),  # the message that took it there
    UniqueConstraint("handoff_id", "kind", "local_id"),
    Index("ix_item_refs_local_id", "local_id"),
)

hop_tokens = Table(
    "hop_tokens",
    metadata,
    Column("token", String(22), primary_key=True),
    Column("handoff_id", String(36), nullable=False),
)

hops = Table(
    "hops",
    metadata,
    Column("id", String(36), primary_key=True),  # what the sender of the notice calls it
    Column("handoff_id", String(36), ForeignKey("handoffs.id"), primary_key=True),
    Column("above", String(36)),
    Column("level", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("display", Text),
    Column("status", String(16), nullable=False),
    Column("since", Instant, nullable=False),
)

hop_refs = Table(
    "hop_refs",
    metadata,
    # what we call, towards one principal, a hop below us: never the id others know it by
    Column("upstream_id", String(36), primary_key=True),  # our hand-off towards the principal
    Column("below", String(73), primary_key=True),  # our hand-off, or (our hand-off, its hop)
    Column("hop_id", String(36), nullable=False, unique=True),
)

# --- how our people work: none of it ever leaves -------------------------------------------

ticket_tags = Table(
    "ticket_tags",
    metadata,
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("tag", String(64), primary_key=True),
    Index("ix_ticket_tags_tag", "tag", "ticket_id"),
)

ticket_events = Table(
    "ticket_events",
    metadata,
    # what our people and rules did to a ticket, for its history in words
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),  # display name, as it was then
    Column("event", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
)

ticket_links = Table(
    "ticket_links",
    metadata,
    # one row for both ends: `ticket_id` is the smaller id where the kind has no direction
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("other_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("kind", String(12), primary_key=True),  # related | duplicate (of the other)
    Index("ix_ticket_links_other_id", "other_id"),
)

searchable = Table(
    "searchable",
    metadata,
    # What is found by words: one row a ticket, one a comment. The index over it is not a table:
    # hub/storage/search.py.
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("item_id", String(36), nullable=False, unique=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("words", Text, nullable=False),
    Index("ix_searchable_ticket_id", "ticket_id"),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("legal_entity", Text, nullable=False, server_default=""),  # as in contracts
    Column("tax_id", Text, nullable=False, server_default=""),
    Column("time_zone", String(64), nullable=False, server_default=""),  # empty: the node's
    Column("note", Text, nullable=False, server_default=""),
    Column("archived_at", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_customers_name", "name"),
)

sites = Table(
    "sites",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("customer_id", String(36), ForeignKey("customers.id"), nullable=False),
    Column("parent_id", String(36), ForeignKey("sites.id")),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("legal_entity", Text, nullable=False, server_default=""),  # empty: that above it
    Column("time_zone", String(64), nullable=False, server_default=""),  # empty: that above it
    Column("note", Text, nullable=False, server_default=""),
    Column("archived_at", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_sites_customer_id", "customer_id", "name"),
)

assets = Table(
    "assets",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("customer_id", String(36), ForeignKey("customers.id"), nullable=False),
    Column("site_id", String(36), ForeignKey("sites.id")),
    Column("name", Text, nullable=False),
    Column("model", Text, nullable=False, server_default=""),
    Column("inventory_number", Text, nullable=False, server_default=""),
    Column("serial_number", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("archived_at", Instant),
    Column("created_at", Instant, nullable=False),
    Index("ix_assets_customer_id", "customer_id", "name"),
    Index("ix_assets_site_id", "site_id"),
    Index("ix_assets_serial_number", "serial_number"),
)

contacts = Table(
    "contacts",
    metadata,
    # people at the customer: personal data, deleted and not archived
    Column("id", String(36), primary_key=True),
    Column("customer_id", String(36), ForeignKey("customers.id"), nullable=False),
    Column("site_id", String(36), ForeignKey("sites.id")),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Index("ix_contacts_customer_id", "customer_id", "name"),
)

asset_events = Table(
    "asset_events",
    metadata,
    # what became of a piece of equipment: moved, changed, put away
    Column("asset_id", String(36), ForeignKey("assets.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
)

field_definitions = Table(
    "field_definitions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),  # text | number | date | choice | yes_no
    Column("choices", JSON, nullable=False),
    Column("required", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired_at", Instant),  # old tickets keep the value, new ones are not asked
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),  # as it stands in the address of the list
    Column("shared", Boolean, nullable=False),  # everybody of the company sees it
    Column("created_at", Instant, nullable=False),
    Index("ix_saved_views_agent_id", "agent_id"),
)

notice_choices = Table(
    "notice_choices",
    metadata,
    # what a person wants to be told of, and how; who never chose has the usual
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
    Column("off", JSON, nullable=False),  # [kind, way] that they do not want
    Column("digest", String(8), nullable=False),
    Column("quiet_from", Integer),  # minutes of their day; null: no quiet hours
    Column("quiet_to", Integer),
    Column("looked_at", Instant),  # what waited then was there before: no news
    Column("mailed_at", Instant),
)

notices = Table(
    "notices",
    metadata,
    # that something waits for a person, and where; never what was said
    Column("id", String(36), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("subject", String(120), nullable=False),  # what it is about: told once
    Column("ticket_id", String(36)),
    Column("at", Instant, nullable=False),
    Column("shown", Boolean, nullable=False),  # in the console
    Column("mail", String(8), nullable=False),  # none, waits, sent
    Column("read_at", Instant),
    UniqueConstraint("agent_id", "kind", "subject"),
    Index("ix_notices_mail", "mail", "agent_id"),
)

macros = Table(
    "macros",
    metadata,
    # a canned answer is a macro that only says something
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("visibility", String(8), nullable=False),
    Column("status", String(16)),
    Column("priority", String(8)),
    Column("tags", JSON, nullable=False),  # to be added
    Column("take", Boolean, nullable=False),  # whoever uses it becomes the assignee
    Column("created_at", Instant, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("visibility", String(8), nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_drafts_ticket_id", "ticket_id"),
)

seen = Table(
    "seen",
    metadata,
    # until when an agent has read a ticket
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("at", Instant, nullable=False),
)

onlookers = Table(
    "onlookers",
    metadata,
    # who has a ticket open: rows that live for a minute
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("agent_id", String(36), ForeignKey("agents.id"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("writing", Boolean, nullable=False),
)

guest_links = Table(
    "guest_links",
    metadata,
    # pages without a login: whoever has the address may see and do what the purpose says
    Column("token_hash", String(64), primary_key=True),  # SHA-256, hex
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("purpose", String(8), nullable=False),  # follow | rate
    Column("created_by", String(36)),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("ix_guest_links_ticket_id", "ticket_id"),
)

client_ratings = Table(
    "client_ratings",
    metadata,
    # what the requester thinks of our work: not the rating of a hand-off
    Column("ticket_id", String(36), ForeignKey("tickets.id"), primary_key=True),
    Column("score", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

# --- mail ---------------------------------------------------------------------------------

letters = Table(
    "letters",
    metadata,
    # letters that arrived: the raw bytes and this row first, everything else later
    Column("id", String(36), primary_key=True),
    Column("mailbox", Text, nullable=False),  # the name of its settings
    Column("source", Text, nullable=False, unique=True),  # where it lay: taken in once
    Column("sha256", String(43)),  # of the raw bytes; null once they went
    Column("size", BigInteger, nullable=False),
    Column("sender", Text),  # of the envelope; null: not known, empty: the null sender
    Column("recipients", JSON, nullable=False),  # of the envelope
    Column("arrived_at", Instant, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Instant),
    Column("last_error", Text),
    # what was found when it was read
    Column("fingerprint", String(64)),
    Column("message_id", Text),
    Column("author", Text),
    Column("subject", Text),
    Column("standing", String(8)),  # whether the author's domain stands for it
    Column("outcome", String(12)),
    Column("decided", String(12)),  # the outcome a person decided on, where nobody else could
    Column("ticket_id", String(36)),
    Column("comment_id", String(36)),
    Column("settled_at", Instant),
    Column("erased_at", Instant),
    Index("ix_letters_state", "state", "next_at"),
    Index("ix_letters_fingerprint", "fingerprint"),
    Index("ix_letters_ticket_id", "ticket_id"),
)

correspondences = Table(
    "correspondences",
    metadata,
    # one person's exchange of letters about one ticket
    Column("id", String(36), primary_key=True),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("mailbox", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("subject", Text, nullable=False),
    Column("salt", String(32), nullable=False),  # with our key it makes the token
    Column("token_hash", String(64), nullable=False, unique=True),  # of the reply address
    Column("newest_id", Text),  # message id that the next letter of ours answers
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),  # the person has no part in the ticket any more
    # empty: a requester. Else a partner without a node, about this hand-off
    Column("handoff_id", String(36), nullable=False, server_default=""),
    UniqueConstraint("ticket_id", "address", "handoff_id"),
    Index("ix_correspondences_handoff_id", "handoff_id"),
)

letter_ids = Table(
    "letter_ids",
    metadata,
    # message ids of both directions: what a letter refers to
    Column("id_hash", String(64), primary_key=True),
    Column("correspondence_id", String(36), ForeignKey("correspondences.id"), primary_key=True),
)

posts = Table(
    "posts",
    metadata,
    # letters of ours on their way out
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("correspondence_id", String(36)),
    Column("ticket_id", String(36)),
    Column("comment_id", String(36)),
    Column("mailbox", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("message_id", Text, nullable=False, unique=True),
    Column("facts", JSON, nullable=False),  # what it says, until it is composed
    Column("sender", Text),  # of the envelope; null until composed
    Column("sha256", String(43)),  # of the bytes as composed: every try sends the same
    Column("return_hash", String(64), nullable=False, unique=True),  # of where its bounces go
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Instant),
    Column("last_error", Text),
    Column("made_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("bounced_at", Instant),
    Column("bounce", Text),  # what the report said
    Column("erased_at", Instant),
    Column("said_id", String(36)),  # the message to a partner without a node that it carries
    Index("ix_posts_said_id", "said_id"),
    Index("ix_posts_state", "state", "next_at"),
    Index("ix_posts_comment_id", "comment_id"),
    Index("ix_posts_ticket_id", "ticket_id"),
)

desk_numbers = Table(
    "desk_numbers",
    metadata,
    # tickets of customers who only mail: the number of their desk is a ticket of ours
    Column("profile", String(40), primary_key=True),  # which desk, by the name of its profile
    Column("number", String(200), primary_key=True),  # theirs
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("correspondence_id", String(36), ForeignKey("correspondences.id"), nullable=False),
    Column("answers", Text),  # message id of their last letter: what ours refer to
    Column("last_line", Text, nullable=False),  # of our answers, as their desk wants it
    Index("ix_desk_numbers_ticket_id", "ticket_id"),
    Index("ix_desk_numbers_correspondence_id", "correspondence_id"),
)

mail_acts = Table(
    "mail_acts",
    metadata,
    # links in letters to partners without a node: each does one thing, once
    Column("id", String(36), primary_key=True),  # with our key it makes the token
    Column("token_hash", String(64), nullable=False, unique=True),  # SHA-256, hex
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("handoff_id", String(36), nullable=False),  # empty: about the link
    Column("act", String(12), nullable=False),
    Column("address", Text, nullable=False),  # to whom it was sent
    Column("cause_id", String(36)),  # the message of ours that it answers, where it answers one
    Column("made_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("message_id", String(36)),  # what the partner said with it
    Index("ix_mail_acts_handoff_id", "handoff_id"),
)

testimonies = Table(
    "testimonies",
    metadata,
    # on the strength of what our node sealed a message of a partner that has none
    Column("message_id", String(36), primary_key=True),
    Column("link_id", String(36), ForeignKey("links.id"), nullable=False),
    Column("handoff_id", String(36), nullable=False),  # empty: about the link
    Column("way", String(8), nullable=False),  # letter | page | rule
    Column("letter_id", String(36)),
    Column("facts", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_testimonies_handoff_id", "handoff_id"),
    Index("ix_testimonies_letter_id", "letter_id"),
)

reminders = Table(
    "reminders",
    metadata,
    # what a partner without a node was reminded of: each stage once
    Column("handoff_id", String(36), primary_key=True),
    Column("stage", String(24), primary_key=True),
    Column("at", Instant, nullable=False),
)

answered = Table(
    "answered",
    metadata,
    # who got an automatic answer of ours lately: at most one a day
    Column("address_hash", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
)

mailbox_cursors = Table(
    "mailbox_cursors",
    metadata,
    Column("mailbox", Text, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),  # all up to here are taken in
    Column("looked_at", Instant),
    Column("failing_since", Instant),
    Column("last_error", Text),
)

# --- desks --------------------------------------------------------------------------------

desks = Table(
    "desks",
    metadata,
    # foreign systems that tickets come from, go to, or are shown in
    Column("id", String(36), primary_key=True),
    Column("name", String(40), nullable=False, unique=True),  # of its folder, and in commands
    Column("role", String(16), nullable=False),
    Column("template", String(64), nullable=False),  # the kind of desk its description says
    Column("enabled", Boolean, nullable=False, server_default=false()),
    Column("enabled_at", Instant),  # what was made before is filled in only on request
    Column("published", Integer),  # the version that works; null: none yet
    Column("cursor", Text),  # how far we have read over there; null: not begun
    Column("looked_at", Instant),  # the last reading that went well
    Column("next_at", Instant),  # no reading before
    Column("push_after", Instant),  # it asked us to wait: nothing is written before
    Column("mirrored_at", Instant),  # tickets made before have a pair, if the rules want one
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("error", JSON(none_as_null=True)),  # {code, told, facts}: of the last failure
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

desk_versions = Table(
    "desk_versions",
    metadata,
    Column("desk_id", String(36), ForeignKey("desks.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("settings", Text, nullable=False),  # desk.yaml, as it was
    Column("description", Text, nullable=False),  # description.yaml, as it was
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),  # display name
    Column("withdrawn_at", Instant),  # rolled back then
)

desk_secrets = Table(
    "desk_secrets",
    metadata,
    Column("desk_id", String(36), ForeignKey("desks.id"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),  # encrypted with the node's key
    Column("at", Instant, nullable=False),
)

desk_tickets = Table(
    "desk_tickets",
    metadata,
    # our ticket X is their ticket Y
    Column("id", String(36), primary_key=True),
    Column("desk_id", String(36), ForeignKey("desks.id"), nullable=False),
    Column("ticket_id", String(36), ForeignKey("tickets.id"), nullable=False),
    Column("external_id", String(200)),  # null: to be made over there
    Column("number", Text, nullable=False, server_default=""),  # what people there call it
    Column("url", Text, nullable=False, server_default=""),
    Column("state", String(8), nullable=False),
    Column("base", JSON, nullable=False),  # {field: [ours, theirs]} that were last accounted for
    Column("updated_there", Instant),  # of the newest state over there that was taken
    Column("print", String(43)),  # of all of it, to know at once that nothing changed
    Column("changed", Integer, nullable=False, default=0),  # counts changes here
    Column("told", Integer, nullable=False, default=0),  # those that are over there
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Instant),
    Column("error", JSON(none_as_null=True)),  # {code, told, facts}: why it waits
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("desk_id", "ticket_id"),
    UniqueConstraint("desk_id", "external_id"),
    Index("ix_desk_tickets_ticket_id", "ticket_id"),
    Index("ix_desk_tickets_state", "state", "desk_id"),
)

desk_items = Table(
    "desk_items",
    metadata,
    # comments and files that both sides have, or that are on their way over there
    Column("pair_id", String(36), ForeignKey("desk_tickets.id"), primary_key=True),
    Column("kind", String(4), primary_key=True),  # cmt | att
    Column("local_id", String(48), primary_key=True),  # a correction has a suffix
    Column("external_id", String(200)),  # null: on its way
    Column("ours", Boolean, nullable=False),  # where it was written first
    Column("rev", Integer, nullable=False, default=1),
    Column("print", String(43), nullable=False),  # of the text, or of name and size
    Column("at", Instant, nullable=False),
    UniqueConstraint("pair_id", "kind", "external_id"),
)

desk_looks = Table(
    "desk_looks",
    metadata,
    # tickets over there to be looked at: a webhook said so, or reading one failed
    Column("desk_id", String(36), ForeignKey("desks.id"), primary_key=True),
    Column("external_id", String(200), primary_key=True),
    Column("asked", Integer, nullable=False, default=1),  # counts the wishes
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Instant),  # null: at once
    Column("parked", Boolean, nullable=False, server_default=false()),  # waits for a person
    Column("error", JSON(none_as_null=True)),
    Column("at", Instant, nullable=False),
)

desk_unknown = Table(
    "desk_unknown",
    metadata,
    # words over there that no table translates, until somebody adds them
    Column("desk_id", String(36), ForeignKey("desks.id"), primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("external_id", String(200), nullable=False),  # where it was seen last
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
)

desk_calls = Table(
    "desk_calls",
    metadata,
    # the log of requests: addresses without query and secrets, never a body
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("desk_id", String(36), ForeignKey("desks.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("method", String(8), nullable=False),
    Column("address", Text, nullable=False),
    Column("status", Integer),  # null: no answer
    Column("took_ms", Integer, nullable=False),
    Column("error", String(64)),
    Index("ix_desk_calls_desk_id", "desk_id", "n"),
)

Index("ix_outbox_pending", outbox.c.link_id, outbox.c.state, outbox.c.seq)
