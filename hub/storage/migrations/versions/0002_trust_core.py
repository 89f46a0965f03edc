"""Trust core."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import hub.storage.tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_heads",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.String(length=43), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "suspicions",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("last_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("last_from", sa.Text(), nullable=True),
        sa.Column("hour", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("hour_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "kind", name=op.f("pk_suspicions")),
    )
    op.create_table(
        "witnesses",
        sa.Column("node_id", sa.String(length=43), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=43), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "seq", name=op.f("pk_witnesses")),
    )
    op.create_table(
        "agreements",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=43), nullable=False),
        sa.Column("our_signature", sa.Text(), nullable=True),
        sa.Column("peer_signature", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("proposed_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("settled_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("amended_id", sa.String(length=36), nullable=True),
        sa.Column("amended_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_agreements_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
    )
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        batch_op.create_index("ix_agreements_link_id", ["link_id"], unique=False)

    op.create_table(
        "checkpoints",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("next_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("compared_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("not_comparable", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_checkpoints_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "differences",
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("theirs", sa.String(length=43), nullable=True),
        sa.Column("found_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_differences_link_id")),
        sa.PrimaryKeyConstraint("handoff_id", "field", name=op.f("pk_differences")),
    )
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.create_index("ix_differences_link_id", ["link_id"], unique=False)

    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("came_by", sa.String(length=36), nullable=True),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("erased_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("swept_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_erasures_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.create_index("ix_erasures_swept_at", ["swept_at"], unique=False)
        batch_op.create_index("ix_erasures_ticket_id", ["ticket_id"], unique=False)

    op.create_table(
        "legal_holds",
        sa.Column("ticket_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_legal_holds_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_legal_holds")),
    )
    op.create_table(
        "own_keys",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("announced_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_own_keys_link_id")),
        sa.PrimaryKeyConstraint("link_id", "version", name=op.f("pk_own_keys")),
    )
    op.create_table(
        "returned",
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=43), nullable=False),
        sa.Column("env", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_returned_link_id")),
        sa.PrimaryKeyConstraint("link_id", "seq", name=op.f("pk_returned")),
    )
    op.create_table(
        "voided",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("link_id", sa.String(length=36), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("hash", sa.String(length=43), nullable=False),
        sa.Column("env", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_voided_link_id")),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_voided")),
        sa.UniqueConstraint(
            "link_id", "direction", "hash", name=op.f("uq_voided_link_id_direction_hash")
        ),
    )
    op.create_table(
        "erasure_asks",
        sa.Column("erasure_id", sa.String(length=36), nullable=False),
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("confirmed_at", hub.storage.tables.Instant(length=27), nullable=True),
        sa.Column("held", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasures.id"], name=op.f("fk_erasure_asks_erasure_id")
        ),
        sa.PrimaryKeyConstraint("erasure_id", "handoff_id", name=op.f("pk_erasure_asks")),
        sa.UniqueConstraint("message_id", name=op.f("uq_erasure_asks_message_id")),
    )
    op.create_table(
        "retention",
        sa.Column("handoff_id", sa.String(length=36), nullable=False),
        sa.Column("look_at", hub.storage.tables.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["handoff_id"], ["handoffs.id"], name=op.f("fk_retention_handoff_id")
        ),
        sa.PrimaryKeyConstraint("handoff_id", name=op.f("pk_retention")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("collected_at", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(
            sa.Column("paced_until", hub.storage.tables.Instant(length=27), nullable=True)
        )

    with op.batch_alter_table("epochs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("instance", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("run", sa.String(length=32), nullable=True))

    with op.batch_alter_table("key_sets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("succession", sa.JSON(), nullable=True))

    with op.batch_alter_table("link_keys", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("revoked_at", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(sa.Column("trusted_seq", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.add_column(sa.Column("in_force", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("amended_seq", sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column("keys_call", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("told_version", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.add_column(sa.Column("run", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("instance", sa.String(length=32), nullable=True))
        batch_op.add_column(
            sa.Column("run_began_at", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(
            sa.Column("held_at", hub.storage.tables.Instant(length=27), nullable=True)
        )

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("skip_reason", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("reapply", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.create_index(
            "ix_outbox_reapply",
            ["link_id", "seq"],
            unique=False,
            sqlite_where=sa.text("reapply"),
            postgresql_where=sa.text("reapply"),
        )

    with op.batch_alter_table("streams", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("receipted_max", sa.BigInteger(), server_default="0", nullable=False)
        )
        batch_op.add_column(
            sa.Column("acked_seq", sa.BigInteger(), server_default="0", nullable=False)
        )
        batch_op.add_column(sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(
            sa.Column("synced", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("reapplying", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("taken_back", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("out_paid_until", hub.storage.tables.Instant(length=27), nullable=True)
        )
        batch_op.add_column(
            sa.Column("in_paid_until", hub.storage.tables.Instant(length=27), nullable=True)
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("streams", schema=None) as batch_op:
        batch_op.drop_column("in_paid_until")
        batch_op.drop_column("out_paid_until")
        batch_op.drop_column("taken_back")
        batch_op.drop_column("reapplying")
        batch_op.drop_column("synced")
        batch_op.drop_column("revision")
        batch_op.drop_column("acked_seq")
        batch_op.drop_column("receipted_max")

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_reapply",
            sqlite_where=sa.text("reapply"),
            postgresql_where=sa.text("reapply"),
        )
        batch_op.drop_column("reapply")
        batch_op.drop_column("skip_reason")

    with op.batch_alter_table("node", schema=None) as batch_op:
        batch_op.drop_column("held_at")
        batch_op.drop_column("run_began_at")
        batch_op.drop_column("instance")
        batch_op.drop_column("run")

    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.drop_column("told_version")
        batch_op.drop_column("keys_call")
        batch_op.drop_column("amended_seq")
        batch_op.drop_column("in_force")

    with op.batch_alter_table("link_keys", schema=None) as batch_op:
        batch_op.drop_column("trusted_seq")
        batch_op.drop_column("revoked_at")

    with op.batch_alter_table("key_sets", schema=None) as batch_op:
        batch_op.drop_column("succession")

    with op.batch_alter_table("epochs", schema=None) as batch_op:
        batch_op.drop_column("run")
        batch_op.drop_column("instance")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_column("paced_until")
        batch_op.drop_column("collected_at")

    op.drop_table("retention")
    op.drop_table("erasure_asks")
    op.drop_table("voided")
    op.drop_table("returned")
    op.drop_table("own_keys")
    op.drop_table("legal_holds")
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.drop_index("ix_erasures_ticket_id")
        batch_op.drop_index("ix_erasures_swept_at")

    op.drop_table("erasures")
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.drop_index("ix_differences_link_id")

    op.drop_table("differences")
    op.drop_table("checkpoints")
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        batch_op.drop_index("ix_agreements_link_id")

    op.drop_table("agreements")
    op.drop_table("witnesses")
    op.drop_table("suspicions")
    op.drop_table("audit_heads")
