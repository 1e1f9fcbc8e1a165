"""The row in which routers before Alembic look for their version: they refuse a file that has another one."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Writes the version that no router knows."""
    op.create_table("schema_version", sa.Column("version", sa.Integer, primary_key=True), if_not_exists=True)
    op.execute("DELETE FROM schema_version")
    op.execute("INSERT INTO schema_version VALUES (3)")
