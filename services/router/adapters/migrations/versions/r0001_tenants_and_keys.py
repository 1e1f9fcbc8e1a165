"""Tenants, keys, and the models that a key may use."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "tenants",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("home_region", sa.Integer, nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger, nullable=False),
        sa.Column("is_disabled", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "keys",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant_number", sa.Integer, sa.ForeignKey("tenants.number"), nullable=False, index=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger, nullable=False),
        sa.Column("tokens_per_minute", sa.BigInteger, nullable=False),
        sa.Column("concurrency", sa.BigInteger, nullable=False),
        sa.Column("created_at_seconds", sa.BigInteger, nullable=False),
        sa.Column("expires_at_seconds", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_seconds", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "key_models",
        sa.Column("key_number", sa.Integer, sa.ForeignKey("keys.number"), primary_key=True),
        sa.Column("model_number", sa.Integer, primary_key=True),
    )
