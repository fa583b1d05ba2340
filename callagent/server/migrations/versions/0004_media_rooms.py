# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooms on media servers, and what sessions want to see there"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media_rooms",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "call_id", "epoch", name=op.f("pk_media_rooms")),
    )
    op.create_table(
        "media_views",
        sa.Column("app_id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["app_id", "call_id"],
            ["calls.app_id", "calls.call_id"],
            name=op.f("fk_media_views_app_id_call_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "app_id", "call_id", "session_id", "user_id", name=op.f("pk_media_views")
        ),
    )


def downgrade() -> None:
    op.drop_table("media_views")
    op.drop_table("media_rooms")
