# SPDX-License-Identifier: GPL-3.0-or-later
"""Several nodes on one database, blocked users, devices"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("node_id", sa.String(), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_nodes")),
    )
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("node", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("blocked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_timers_due_at"), "timers", ["due_at"])
    op.create_table(
        "devices",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("first_seen_at", sa.Double(), nullable=False),
        sa.Column("last_seen_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "user_id"],
            ["users.app_id", "users.user_id"],
            name=op.f("fk_devices_app_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "user_id", "device_id", name=op.f("pk_devices")),
    )


def downgrade() -> None:
    op.drop_table("devices")
    with op.batch_alter_table("users") as users:
        users.drop_column("blocked")
    op.drop_index(op.f("ix_timers_due_at"), "timers")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_column("node")
    op.drop_table("nodes")
