"""The tables of tenants and keys; of a key only its digest is stored."""

from typing import Final

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Numbers stand in events for ever, so a number is never given out twice.
_NEVER_REUSED: Final = {"sqlite_autoincrement": True}


class Table(DeclarativeBase):
    """The registry of the router's tables."""


class TenantRow(Table):
    """One tenant."""

    __tablename__ = "tenants"
    __table_args__ = _NEVER_REUSED

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    home_region: Mapped[int] = mapped_column(Integer)
    created_at_seconds: Mapped[int] = mapped_column(BigInteger)
    is_disabled: Mapped[bool] = mapped_column(default=False)


class KeyRow(Table):
    """One API key."""

    __tablename__ = "keys"
    __table_args__ = _NEVER_REUSED

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    tenant_number: Mapped[int] = mapped_column(ForeignKey("tenants.number"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    label: Mapped[str] = mapped_column(String(64))
    requests_per_minute: Mapped[int] = mapped_column(BigInteger)
    tokens_per_minute: Mapped[int] = mapped_column(BigInteger)
    concurrency: Mapped[int] = mapped_column(BigInteger)
    created_at_seconds: Mapped[int] = mapped_column(BigInteger)
    expires_at_seconds: Mapped[int] = mapped_column(BigInteger)
    revoked_at_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    # The number of the class, as tickets carry it; lower runs sooner.
    best_priority: Mapped[int] = mapped_column(Integer)
    tenant: Mapped[TenantRow] = relationship(lazy="joined", innerjoin=True)
    models: Mapped[list["KeyModelRow"]] = relationship(lazy="selectin")


class KeyModelRow(Table):
    """One model that a key may use; a key without rows may use all."""

    __tablename__ = "key_models"

    key_number: Mapped[int] = mapped_column(ForeignKey("keys.number"), primary_key=True)
    model_number: Mapped[int] = mapped_column(Integer, primary_key=True)
