# SPDX-License-Identifier: GPL-3.0-or-later
"""Administrators, profiles, calls by room, callbacks"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("is_admin", sa.Boolean(), nullable=False, server_default=sa.false()))
        users.add_column(sa.Column("profile", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("room_id", sa.String(), nullable=False, server_default=""))
        calls.create_index(op.f("ix_calls_app_id_room_id"), ["app_id", "room_id"])
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("address", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "callback_configs",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("commands", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.app_id"], name=op.f("fk_callback_configs_app_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_callback_configs")),
    )
    op.create_table(
        "callbacks",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("claimed_until", sa.Double(), nullable=True),
        sa.Column("first_failed_at", sa.Double(), nullable=True),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "event_id", name=op.f("pk_callbacks")),
    )
    op.create_index(op.f("ix_callbacks_app_id_call_id_seq"), "callbacks", ["app_id", "call_id", "seq"])
    op.create_index(op.f("ix_callbacks_due_at"), "callbacks", ["due_at"])
    table = sa.table(
        "calls",
        sa.column("app_id", sa.Integer),
        sa.column("call_id", sa.String),
        sa.column("room_id", sa.String),
        sa.column("state", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(table.c.app_id, table.c.call_id, table.c.state)).all():
        ours = (table.c.app_id == row.app_id, table.c.call_id == row.call_id)
        room_id = json.dumps(row.state["room_id"])
        connection.execute(sa.update(table).where(*ours).values(room_id=room_id))


def downgrade() -> None:
    op.drop_table("callbacks")
    op.drop_table("callback_configs")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_column("address")
    with op.batch_alter_table("calls") as calls:
        calls.drop_index(op.f("ix_calls_app_id_room_id"))
        calls.drop_column("room_id")
    with op.batch_alter_table("users") as users:
        users.drop_column("profile")
        users.drop_column("is_admin")
