"""The best scheduling class that a key may claim; earlier keys may claim every class, as before."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("keys", sa.Column("best_priority", sa.Integer, nullable=False, server_default="0"))
