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
)

key_sets = Table(
    "key_sets",
    metadata,
    Column("node_id", String(43), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("jws", Text, nullable=False),  # as the identity key signed it
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
    Column("agreement", Text),  # exact text both sign; null until the inviter composed it
    Column("agreement_hash", String(43)),
    Column("revision", Integer, nullable=False, default=1),
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
)

streams = Table(
    "streams",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    # what we send
    Column("out_epoch", BigInteger, nullable=False),
    Column("out_seq", BigInteger, nullable=False),
    Column("out_head", String(43), nullable=False),
    Column("receipted_seq", BigInteger, nullable=False),
    # what we receive
    Column("in_epoch", BigInteger, nullable=False),
    Column("in_seq", BigInteger, nullable=False),
    Column("in_head", String(43), nullable=False),
    Column("applied_seq", BigInteger, nullable=False),  # all up to here are settled
    Column("applied_head", String(43), nullable=False),
)

epochs = Table(
    "epochs",
    metadata,
    Column("link_id", String(36), ForeignKey("links.id"), primary_key=True),
    Column("direction", String(3), primary_key=True),  # out | in
    Column("epoch", BigInteger, primary_key=True),
    Column("start_seq", BigInteger, nullable=False),
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
    Index("ix_outbox_state", "state"),
    Index("ix_outbox_handoff_id", "handoff_id"),
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
    Index("ix_tickets_status", "status", "id"),
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

Index("ix_outbox_pending", outbox.c.link_id, outbox.c.state, outbox.c.seq)
