# SPDX-License-Identifier: GPL-3.0-or-later
"""The first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "apps",
        sa.Column("app_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("multi_device", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_apps")),
    )
    op.create_table(
        "call_records",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("caller_id", sa.String(), nullable=False),
        sa.Column("media_type", sa.Integer(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("user_data", sa.String(), nullable=False),
        sa.Column("chat_group_id", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("end_reason", sa.Integer(), nullable=False),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("accepted_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("total_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "call_id", name=op.f("pk_call_records")),
    )
    op.create_table(
        "calls",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "call_id", name=op.f("pk_calls")),
    )
    op.create_table(
        "timers",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("claimed_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("app_id", "kind", "key", name=op.f("pk_timers")),
    )
    op.create_table(
        "user_busy",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "user_id", name=op.f("pk_user_busy")),
    )
    op.create_table(
        "call_members",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("accepted_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("total_s", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "call_id"],
            ["call_records.app_id", "call_records.call_id"],
            name=op.f("fk_call_members_app_id_call_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "call_id", "user_id", name=op.f("pk_call_members")),
    )
    with op.batch_alter_table("call_members", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_call_members_app_id_user_id_began_at"),
            ["app_id", "user_id", "began_at"],
            unique=False,
        )

    op.create_table(
        "users",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("nickname", sa.String(), nullable=False),
        sa.Column("avatar", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ever_logged_in", sa.Boolean(), nullable=False),
        sa.Column("last_status", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id"], ["apps.app_id"], name=op.f("fk_users_app_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("app_id", "user_id", name=op.f("pk_users")),
    )
    op.create_table(
        "device_keys",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "user_id"],
            ["users.app_id", "users.user_id"],
            name=op.f("fk_device_keys_app_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "key_hash", name=op.f("pk_device_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_device_keys_key_hash")),
    )
    op.create_table(
        "enrolment_codes",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["app_id", "user_id"],
            ["users.app_id", "users.user_id"],
            name=op.f("fk_enrolment_codes_app_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "code_hash", name=op.f("pk_enrolment_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_enrolment_codes_code_hash")),
    )
    op.create_table(
        "sessions",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("connection", sa.Integer(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("away_since", sa.Double(), nullable=True),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("acked_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "user_id"],
            ["users.app_id", "users.user_id"],
            name=op.f("fk_sessions_app_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "session_id", name=op.f("pk_sessions")),
        sa.UniqueConstraint(
            "app_id", "user_id", "device_id", name=op.f("uq_sessions_app_id_user_id_device_id")
        ),
    )
    op.create_table(
        "session_events",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "session_id"],
            ["sessions.app_id", "sessions.session_id"],
            name=op.f("fk_session_events_app_id_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("app_id", "session_id", "seq", name=op.f("pk_session_events")),
    )


def downgrade() -> None:
    op.drop_table("session_events")
    op.drop_table("sessions")
    op.drop_table("enrolment_codes")
    op.drop_table("device_keys")
    op.drop_table("users")
    with op.batch_alter_table("call_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_call_members_app_id_user_id_began_at"))

    op.drop_table("call_members")
    op.drop_table("user_busy")
    op.drop_table("timers")
    op.drop_table("calls")
    op.drop_table("call_records")
    op.drop_table("apps")
