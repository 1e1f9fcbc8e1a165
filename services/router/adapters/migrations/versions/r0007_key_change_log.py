"""What the latest changes of tenants and keys were about, so that routers forget that and no more."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0007"
down_revision: Final = "0006"


def upgrade() -> None:
    """Makes the table, empty: changes of before stand in none, and have all be forgotten once."""
    op.create_table(
        "key_change_log",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key_number", sa.Integer, nullable=False),
        sa.Column("tenant_number", sa.Integer, nullable=False),
    )
