"""Scopes of endpoints and regions, rotation with an overlap, disabled keys, last uses, a count of changes."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Adds the columns and tables."""
    op.add_column("keys", sa.Column("is_disabled", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("keys", sa.Column("previous_digest", sa.LargeBinary(32)))
    op.add_column(
        "keys", sa.Column("previous_until_seconds", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("keys", sa.Column("last_used_seconds", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_keys_previous_digest", "keys", ["previous_digest"], unique=True)
    for scope, number in (("endpoint", "endpoint_number"), ("region", "region_number")):
        op.create_table(
            f"key_{scope}s",
            sa.Column("key_number", sa.Integer, sa.ForeignKey("keys.number"), primary_key=True),
            sa.Column(number, sa.Integer, primary_key=True, autoincrement=False),
        )
    op.create_table(
        "key_changes",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO key_changes VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        # SQLite's integers have 64 bits already.
        op.alter_column("key_models", "model_number", type_=sa.BigInteger)
