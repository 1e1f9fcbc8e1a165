"""Quotas of tenants, and of days and months."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

_OF_MINUTES: Final = ("requests_per_minute", "tokens_per_minute", "concurrency")
_OF_MONTHS: Final = ("tokens_per_day", "tokens_per_month", "money_per_month_cents")


def upgrade() -> None:
    """Adds the columns: nobody had a limit there."""
    for name in _OF_MONTHS:
        op.add_column("keys", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    for name in (*_OF_MINUTES, *_OF_MONTHS):
        op.add_column("tenants", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
