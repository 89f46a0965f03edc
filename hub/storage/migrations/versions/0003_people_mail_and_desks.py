"""People, mail and desks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import hub.storage.tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "answered",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_answered")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("legal_entity", sa.Text(), server_default="", nullable=False),
        sa.Column("tax_id", sa.Text(), server_default="", nullable=False),
        sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("archived_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index("ix_customers_name", ["name"], unique=False)

    op.create_table(
        "field_definitions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_definitions")),
        sa.UniqueConstraint("name", name=op.f("uq_field_definitions_name")),
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=43), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("arrived_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("standing", sa.String(length=8), nullable=True),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.Column("ticket_id", sa.String(length=36), nullable=True),
        sa.Column("comment_id", sa.String(length=36), nullable=True),
        sa.Column("settled_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("erased_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("source", name=op.f("uq_letters_source")),
    )
    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.create_index("ix_letters_fingerprint", ["fingerprint"], unique=False)
        batch_op.create_index("ix_letters_state", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_letters_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "macros",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.Column("priority", sa.String(length=8), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("take", sa.Boolean(), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_macros")),
    )
    op.create_table(
        "mailbox_cursors",
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("failing_since", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox", "folder", name=op.f("pk_mailbox_cursors")),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("correspondence_id", sa.String(length=36), nullable=True),
        sa.Column("ticket_id", sa.String(length=36), nullable=True),
        sa.Column("comment_id", sa.String(length=36), nullable=True),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(length=43), nullable=True),
        sa.Column("return_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("made_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("settled_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("bounced_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("bounce", sa.Text(), nullable=True),
        sa.Column("erased_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("message_id", name=op.f("uq_posts_message_id")),
        sa.UniqueConstraint("return_hash", name=op.f("uq_posts_return_hash")),
    )
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.create_index("ix_posts_comment_id", ["comment_id"], unique=False)
        batch_op.create_index("ix_posts_state", ["state", "next_at"], unique=False)
        batch_op.create_index("ix_posts_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "teams",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name", name=op.f("uq_teams_name")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("failing_since", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "access_links",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("expires_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("used_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_access_links_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_links_token_hash")),
    )
    with op.batch_alter_table("access_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_links_agent_id"), ["agent_id"], unique=False)

    op.create_table(
        "client_ratings",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_client_ratings_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_client_ratings")),
    )
    op.create_table(
        "correspondences",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("newest_id", sa.Text(), nullable=True),
        sa.Column("began_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("ended_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_correspondences_ticket_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correspondences")),
        sa.UniqueConstraint(
            "ticket_id", "address", name=op.f("uq_correspondences_ticket_id_address")
        ),
        sa.UniqueConstraint("token_hash", name=op.f("uq_correspondences_token_hash")),
    )
    op.create_table(
        "drafts",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("visibility", sa.String(length=8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_drafts_agent_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_drafts_ticket_id")),
        sa.PrimaryKeyConstraint("agent_id", "ticket_id", name=op.f("pk_drafts")),
    )
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.create_index("ix_drafts_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "guest_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("expires_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("revoked_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_guest_links_ticket_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_guest_links")),
    )
    with op.batch_alter_table("guest_links", schema=None) as batch_op:
        batch_op.create_index("ix_guest_links_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "onlookers",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("writing", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_onlookers_agent_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_onlookers_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", "agent_id", name=op.f("pk_onlookers")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_recovery_codes_agent_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_saved_views_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    with op.batch_alter_table("saved_views", schema=None) as batch_op:
        batch_op.create_index("ix_saved_views_agent_id", ["agent_id"], unique=False)

    op.create_table(
        "searchable",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_searchable_ticket_id")
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_searchable")),
        sa.UniqueConstraint("item_id", name=op.f("uq_searchable_item_id")),
    )
    with op.batch_alter_table("searchable", schema=None) as batch_op:
        batch_op.create_index("ix_searchable_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "seen",
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_seen_agent_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_seen_ticket_id")),
        sa.PrimaryKeyConstraint("agent_id", "ticket_id", name=op.f("pk_seen")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("seen_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("expires_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_sessions_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_agent_id"), ["agent_id"], unique=False)

    op.create_table(
        "sites",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("legal_entity", sa.Text(), server_default="", nullable=False),
        sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("archived_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_sites_customer_id")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["sites.id"], name=op.f("fk_sites_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
    )
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.create_index("ix_sites_customer_id", ["customer_id", "name"], unique=False)

    op.create_table(
        "team_members",
        sa.Column("team_id", sa.String(length=36), nullable=False),
        sa.Column("agent_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_team_members_agent_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id")),
        sa.PrimaryKeyConstraint("team_id", "agent_id", name=op.f("pk_team_members")),
    )
    op.create_table(
        "ticket_events",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_events_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "n", name=op.f("pk_ticket_events")),
    )
    op.create_table(
        "ticket_links",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("other_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["other_id"], ["tickets.id"], name=op.f("fk_ticket_links_other_id")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_links_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "other_id", "kind", name=op.f("pk_ticket_links")),
    )
    with op.batch_alter_table("ticket_links", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_links_other_id", ["other_id"], unique=False)

    op.create_table(
        "ticket_tags",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_tags_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", "tag", name=op.f("pk_ticket_tags")),
    )
    with op.batch_alter_table("ticket_tags", schema=None) as batch_op:
        batch_op.create_index("ix_ticket_tags_tag", ["tag", "ticket_id"], unique=False)

    op.create_table(
        "webhook_calls",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("tried_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_calls_webhook_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_calls")),
    )
    with op.batch_alter_table("webhook_calls", schema=None) as batch_op:
        batch_op.create_index(
            "webhook_calls_waiting", ["webhook_id", "state", "next_at"], unique=False
        )

    op.create_table(
        "assets",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("inventory_number", sa.Text(), server_default="", nullable=False),
        sa.Column("serial_number", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("archived_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_assets_customer_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_assets_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
    )
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.create_index("ix_assets_customer_id", ["customer_id", "name"], unique=False)
        batch_op.create_index("ix_assets_serial_number", ["serial_number"], unique=False)
        batch_op.create_index("ix_assets_site_id", ["site_id"], unique=False)

    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("customer_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_contacts_customer_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_contacts_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.create_index("ix_contacts_customer_id", ["customer_id", "name"], unique=False)

    op.create_table(
        "letter_ids",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("correspondence_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["correspondence_id"],
            ["correspondences.id"],
            name=op.f("fk_letter_ids_correspondence_id"),
        ),
        sa.PrimaryKeyConstraint("id_hash", "correspondence_id", name=op.f("pk_letter_ids")),
    )
    op.create_table(
        "asset_events",
        sa.Column("asset_id", sa.String(length=36), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name=op.f("fk_asset_events_asset_id")),
        sa.PrimaryKeyConstraint("asset_id", "n", name=op.f("pk_asset_events")),
    )
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=2), nullable=True))
        batch_op.add_column(sa.Column("time_zone", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("totp_secret", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("totp_confirmed", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("team_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("due_source", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("customer_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("site_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("asset_id", sa.String(length=36), nullable=True))
        batch_op.add_column(
            sa.Column("visit_at", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(sa.Column("visit_stage", sa.String(length=8), nullable=True))
        batch_op.create_index("ix_tickets_asset_id", ["asset_id", "id"], unique=False)
        batch_op.create_index("ix_tickets_assignee_id", ["assignee_id", "status"], unique=False)
        batch_op.create_index("ix_tickets_customer_id", ["customer_id", "id"], unique=False)
        batch_op.create_index("ix_tickets_due_at", ["due_at", "id"], unique=False)
        batch_op.create_index("ix_tickets_site_id", ["site_id", "id"], unique=False)
        batch_op.create_index("ix_tickets_updated_at", ["updated_at", "id"], unique=False)

    _rows()


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("tickets", schema=None) as batch_op:
        batch_op.drop_index("ix_tickets_updated_at")
        batch_op.drop_index("ix_tickets_site_id")
        batch_op.drop_index("ix_tickets_due_at")
        batch_op.drop_index("ix_tickets_customer_id")
        batch_op.drop_index("ix_tickets_assignee_id")
        batch_op.drop_index("ix_tickets_asset_id")
        batch_op.drop_column("visit_stage")
        batch_op.drop_column("visit_at")
        batch_op.drop_column("asset_id")
        batch_op.drop_column("site_id")
        batch_op.drop_column("customer_id")
        batch_op.drop_column("due_source")
        batch_op.drop_column("team_id")

    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_column("totp_step")
        batch_op.drop_column("totp_confirmed")
        batch_op.drop_column("totp_secret")
        batch_op.drop_column("time_zone")
        batch_op.drop_column("language")

    op.drop_table("asset_events")
    op.drop_table("letter_ids")
    with op.batch_alter_table("contacts", schema=None) as batch_op:
        batch_op.drop_index("ix_contacts_customer_id")

    op.drop_table("contacts")
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.drop_index("ix_assets_site_id")
        batch_op.drop_index("ix_assets_serial_number")
        batch_op.drop_index("ix_assets_customer_id")

    op.drop_table("assets")
    with op.batch_alter_table("webhook_calls", schema=None) as batch_op:
        batch_op.drop_index("webhook_calls_waiting")

    op.drop_table("webhook_calls")
    with op.batch_alter_table("ticket_tags", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_tags_tag")

    op.drop_table("ticket_tags")
    with op.batch_alter_table("ticket_links", schema=None) as batch_op:
        batch_op.drop_index("ix_ticket_links_other_id")

    op.drop_table("ticket_links")
    op.drop_table("ticket_events")
    op.drop_table("team_members")
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_index("ix_sites_customer_id")

    op.drop_table("sites")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_agent_id"))

    op.drop_table("sessions")
    op.drop_table("seen")
    with op.batch_alter_table("searchable", schema=None) as batch_op:
        batch_op.drop_index("ix_searchable_ticket_id")

    op.drop_table("searchable")
    with op.batch_alter_table("saved_views", schema=None) as batch_op:
        batch_op.drop_index("ix_saved_views_agent_id")

    op.drop_table("saved_views")
    op.drop_table("recovery_codes")
    op.drop_table("onlookers")
    with op.batch_alter_table("guest_links", schema=None) as batch_op:
        batch_op.drop_index("ix_guest_links_ticket_id")

    op.drop_table("guest_links")
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_index("ix_drafts_ticket_id")

    op.drop_table("drafts")
    op.drop_table("correspondences")
    op.drop_table("client_ratings")
    with op.batch_alter_table("access_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_links_agent_id"))

    op.drop_table("access_links")
    op.drop_table("webhooks")
    op.drop_table("teams")
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.drop_index("ix_posts_ticket_id")
        batch_op.drop_index("ix_posts_state")
        batch_op.drop_index("ix_posts_comment_id")

    op.drop_table("posts")
    op.drop_table("mailbox_cursors")
    op.drop_table("macros")
    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.drop_index("ix_letters_ticket_id")
        batch_op.drop_index("ix_letters_state")
        batch_op.drop_index("ix_letters_fingerprint")

    op.drop_table("letters")
    op.drop_table("field_definitions")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index("ix_customers_name")

    op.drop_table("customers")
    op.drop_table("answered")


def _rows() -> None:
    """Who was an agent without more is a dispatcher."""
    op.execute("UPDATE agents SET role = 'dispatcher' WHERE role = 'agent'")
