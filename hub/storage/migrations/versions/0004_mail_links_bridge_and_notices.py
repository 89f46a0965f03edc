"""Mail links, bridge and notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import hub.storage.tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "desks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("enabled_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("looked_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("push_after", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("mirrored_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("failing_since", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("removed_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desks")),
        sa.UniqueConstraint("name", name=op.f("uq_desks_name")),
    )
    op.create_table(
        "reminders",
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("stage", sa.String(length=24), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("handoff_id", "stage", name=op.f("pk_reminders")),
    )
    op.create_table(
        "custodies",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("identity_key", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("told_seq", sa.BigInteger(), nullable=False),
        sa.Column("successor_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_custodies_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_custodies")),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["links.id"], name=op.f("fk_delivery_attempts_link_id")
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_delivery_attempts")),
    )
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_attempts_link", ["link_id", "at"], unique=False)

    op.create_table(
        "desk_calls",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_calls_desk_id")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_desk_calls")),
    )
    with op.batch_alter_table("desk_calls", schema=None) as batch_op:
        batch_op.create_index("ix_desk_calls_desk_id", ["desk_id", "n"], unique=False)

    op.create_table(
        "desk_looks",
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("parked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_looks_desk_id")),
        sa.PrimaryKeyConstraint("desk_id", "external_id", name=op.f("pk_desk_looks")),
    )
    op.create_table(
        "desk_secrets",
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_secrets_desk_id")),
        sa.PrimaryKeyConstraint("desk_id", "name", name=op.f("pk_desk_secrets")),
    )
    op.create_table(
        "desk_tickets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("number", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("updated_there", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("print", sa.String(length=43), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("made_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_tickets_desk_id")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_desk_tickets_ticket_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_tickets")),
        sa.UniqueConstraint(
            "desk_id", "external_id", name=op.f("uq_desk_tickets_desk_id_external_id")
        ),
        sa.UniqueConstraint("desk_id", "ticket_id", name=op.f("uq_desk_tickets_desk_id_ticket_id")),
    )
    with op.batch_alter_table("desk_tickets", schema=None) as batch_op:
        batch_op.create_index("ix_desk_tickets_state", ["state", "desk_id"], unique=False)
        batch_op.create_index("ix_desk_tickets_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "desk_unknown",
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("first_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("last_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_unknown_desk_id")),
        sa.PrimaryKeyConstraint("desk_id", "field", "value", name=op.f("pk_desk_unknown")),
    )
    op.create_table(
        "desk_versions",
        sa.Column("desk_id", sa.String(length=36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["desk_id"], ["desks.id"], name=op.f("fk_desk_versions_desk_id")),
        sa.PrimaryKeyConstraint("desk_id", "n", name=op.f("pk_desk_versions")),
    )
    op.create_table(
        "held_offers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("wish", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=36), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("leaves_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_held_offers_link_id")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_held_offers_ticket_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_offers")),
    )
    with op.batch_alter_table("held_offers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_held_offers_leaves_at"), ["leaves_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_held_offers_ticket_id"), ["ticket_id"], unique=False)

    op.create_table(
        "mail_acts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("act", sa.String(length=12), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.String(length=36), nullable=True),
        sa.Column("made_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("expires_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("used_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_mail_acts_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_acts")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_mail_acts_token_hash")),
    )
    with op.batch_alter_table("mail_acts", schema=None) as batch_op:
        batch_op.create_index("ix_mail_acts_handoff_id", ["handoff_id"], unique=False)

    op.create_table(
        "notice_choices",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("off", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=8), nullable=False),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_to", sa.Integer(), nullable=True),
        sa.Column("looked_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("mailed_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_notice_choices_agent_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_notice_choices")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=True),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("mail", sa.String(length=8), nullable=False),
        sa.Column("read_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_notices_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "agent_id", "kind", "subject", name=op.f("uq_notices_agent_id_kind_subject")
        ),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index("ix_notices_mail", ["mail", "agent_id"], unique=False)

    op.create_table(
        "testimonies",
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("way", sa.String(length=8), nullable=False),
        sa.Column("letter_id", sa.String(length=36), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_testimonies_link_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_testimonies")),
    )
    with op.batch_alter_table("testimonies", schema=None) as batch_op:
        batch_op.create_index("ix_testimonies_handoff_id", ["handoff_id"], unique=False)
        batch_op.create_index("ix_testimonies_letter_id", ["letter_id"], unique=False)

    op.create_table(
        "desk_items",
        sa.Column("pair_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=4), nullable=False),
        sa.Column("local_id", sa.String(length=48), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("print", sa.String(length=43), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["desk_tickets.id"], name=op.f("fk_desk_items_pair_id")
        ),
        sa.PrimaryKeyConstraint("pair_id", "kind", "local_id", name=op.f("pk_desk_items")),
        sa.UniqueConstraint(
            "pair_id", "kind", "external_id", name=op.f("uq_desk_items_pair_id_kind_external_id")
        ),
    )
    op.create_table(
        "desk_numbers",
        sa.Column("profile", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=200), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("correspondence_id", sa.String(length=36), nullable=False),
        sa.Column("answers", sa.Text(), nullable=True),
        sa.Column("last_line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correspondence_id"],
            ["correspondences.id"],
            name=op.f("fk_desk_numbers_correspondence_id"),
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_desk_numbers_ticket_id")
        ),
        sa.PrimaryKeyConstraint("profile", "number", name=op.f("pk_desk_numbers")),
    )
    with op.batch_alter_table("desk_numbers", schema=None) as batch_op:
        batch_op.create_index(
            "ix_desk_numbers_correspondence_id", ["correspondence_id"], unique=False
        )
        batch_op.create_index("ix_desk_numbers_ticket_id", ["ticket_id"], unique=False)

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("seen_at", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(sa.Column("seen_by", sa.Text(), nullable=True))

    with op.batch_alter_table("correspondences", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("handoff_id", sa.String(length=36), server_default="", nullable=False)
        )
        batch_op.drop_constraint(batch_op.f("uq_correspondences_ticket_id_address"), type_="unique")
        batch_op.create_index("ix_correspondences_handoff_id", ["handoff_id"], unique=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_correspondences_ticket_id_address_handoff_id"),
            ["ticket_id", "address", "handoff_id"],
        )

    with op.batch_alter_table("handoffs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("consent", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("consent_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("consent_text", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("consent_at", hub.storage.tables.Instant(length=27), nullable=True)
        )

    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("continues_id", sa.String(length=36), nullable=True))

    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("decided", sa.String(length=12), nullable=True))

    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=8), server_default="node", nullable=False)
        )

    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.add_column(sa.Column("phone", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("email", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("hours", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("keep_data_days", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("keep_letters_days", sa.Integer(), nullable=True))

    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("said_id", sa.String(length=36), nullable=True))
        batch_op.create_index("ix_posts_said_id", ["said_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.drop_index("ix_posts_said_id")
        batch_op.drop_column("said_id")

    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.drop_column("keep_letters_days")
        batch_op.drop_column("keep_data_days")
        batch_op.drop_column("hours")
        batch_op.drop_column("email")
        batch_op.drop_column("phone")

    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_column("kind")

    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.drop_column("decided")

    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_column("continues_id")

    with op.batch_alter_table("handoffs", schema=None) as batch_op:
        batch_op.drop_column("consent_at")
        batch_op.drop_column("consent_text")
        batch_op.drop_column("consent_id")
        batch_op.drop_column("consent")

    with op.batch_alter_table("correspondences", schema=None) as batch_op:
        batch_op.drop_constraint(
            batch_op.f("uq_correspondences_ticket_id_address_handoff_id"), type_="unique"
        )
        batch_op.drop_index("ix_correspondences_handoff_id")
        batch_op.create_unique_constraint(
            batch_op.f("uq_correspondences_ticket_id_address"), ["ticket_id", "address"]
        )
        batch_op.drop_column("handoff_id")

    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_column("seen_by")
        batch_op.drop_column("seen_at")

    with op.batch_alter_table("desk_numbers", schema=None) as batch_op:
        batch_op.drop_index("ix_desk_numbers_ticket_id")
        batch_op.drop_index("ix_desk_numbers_correspondence_id")

    op.drop_table("desk_numbers")
    op.drop_table("desk_items")
    with op.batch_alter_table("testimonies", schema=None) as batch_op:
        batch_op.drop_index("ix_testimonies_letter_id")
        batch_op.drop_index("ix_testimonies_handoff_id")

    op.drop_table("testimonies")
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index("ix_notices_mail")

    op.drop_table("notices")
    op.drop_table("notice_choices")
    with op.batch_alter_table("mail_acts", schema=None) as batch_op:
        batch_op.drop_index("ix_mail_acts_handoff_id")

    op.drop_table("mail_acts")
    with op.batch_alter_table("held_offers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_held_offers_ticket_id"))
        batch_op.drop_index(batch_op.f("ix_held_offers_leaves_at"))

    op.drop_table("held_offers")
    op.drop_table("desk_versions")
    op.drop_table("desk_unknown")
    with op.batch_alter_table("desk_tickets", schema=None) as batch_op:
        batch_op.drop_index("ix_desk_tickets_ticket_id")
        batch_op.drop_index("ix_desk_tickets_state")

    op.drop_table("desk_tickets")
    op.drop_table("desk_secrets")
    op.drop_table("desk_looks")
    with op.batch_alter_table("desk_calls", schema=None) as batch_op:
        batch_op.drop_index("ix_desk_calls_desk_id")

    op.drop_table("desk_calls")
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_attempts_link")

    op.drop_table("delivery_attempts")
    op.drop_table("custodies")
    op.drop_table("reminders")
    op.drop_table("desks")
