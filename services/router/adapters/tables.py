"""The tables of tenants and keys; of a key only its digest is stored."""

from typing import Final

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Numbers stand in events for ever, so a number is never given out twice.
_NEVER_REUSED: Final = {"sqlite_autoincrement": True}
_WITH_ITS_KEY: Final = "all, delete-orphan"


class Table(DeclarativeBase):
    """The registry of the router's tables."""


class QuotaColumns:
    """How much a tenant or a key may use; 0 means no limit."""

    requests_per_minute: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens_per_minute: Mapped[int] = mapped_column(BigInteger, default=0)
    concurrency: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens_per_day: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens_per_month: Mapped[int] = mapped_column(BigInteger, default=0)
    money_per_month_cents: Mapped[int] = mapped_column(BigInteger, default=0)


class TenantRow(QuotaColumns, Table):
    """One tenant."""

    __tablename__ = "tenants"
    __table_args__ = _NEVER_REUSED

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    home_region: Mapped[int] = mapped_column(Integer)
    created_at_seconds: Mapped[int] = mapped_column(BigInteger)
    is_disabled: Mapped[bool] = mapped_column(default=False)


class KeyRow(QuotaColumns, Table):
    """One API key."""

    __tablename__ = "keys"
    __table_args__ = _NEVER_REUSED

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    tenant_number: Mapped[int] = mapped_column(ForeignKey("tenants.number"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    label: Mapped[str] = mapped_column(String(64))
    created_at_seconds: Mapped[int] = mapped_column(BigInteger)
    expires_at_seconds: Mapped[int] = mapped_column(BigInteger)
    revoked_at_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    # The number of the class, as tickets carry it; lower runs sooner.
    best_priority: Mapped[int] = mapped_column(Integer)
    is_disabled: Mapped[bool] = mapped_column(default=False)
    # The secret of before the last rotation, until its end.
    previous_digest: Mapped[bytes | None] = mapped_column(
        LargeBinary(32), unique=True, index=True, default=None
    )
    previous_until_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    # The beginning of the hour, so that a busy key is written once an hour.
    last_used_seconds: Mapped[int] = mapped_column(BigInteger, default=0)
    tenant: Mapped[TenantRow] = relationship(lazy="joined", innerjoin=True)
    models: Mapped[list["KeyModelRow"]] = relationship(lazy="selectin", cascade=_WITH_ITS_KEY)
    endpoints: Mapped[list["KeyEndpointRow"]] = relationship(lazy="selectin", cascade=_WITH_ITS_KEY)
    regions: Mapped[list["KeyRegionRow"]] = relationship(lazy="selectin", cascade=_WITH_ITS_KEY)


class KeyModelRow(Table):
    """One model that a key may use; a key without rows may use all."""

    __tablename__ = "key_models"

    key_number: Mapped[int] = mapped_column(ForeignKey("keys.number"), primary_key=True)
    model_number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )


class KeyEndpointRow(Table):
    """One endpoint that a key may call; a key without rows may call all."""

    __tablename__ = "key_endpoints"

    key_number: Mapped[int] = mapped_column(ForeignKey("keys.number"), primary_key=True)
    endpoint_number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class KeyRegionRow(Table):
    """One region that may serve a key; a key without rows is served where its tenant is."""

    __tablename__ = "key_regions"

    key_number: Mapped[int] = mapped_column(ForeignKey("keys.number"), primary_key=True)
    region_number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class KeyChangesRow(Table):
    """How often tenants and keys were changed, in one row."""

    __tablename__ = "key_changes"

    only: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class SpendingRow(Table):
    """What a key or a tenant used in a day, YYYYMMDD, or a month, YYYYMM: counts, and no more."""

    __tablename__ = "spending"

    # The number of the kind, as `SubjectKind` has it.
    kind: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    period: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tokens: Mapped[int] = mapped_column(BigInteger)
    nanos: Mapped[int] = mapped_column(BigInteger)


class KeyChangeRow(Table):
    """What one of the latest changes was about, by the number that it made of the count."""

    __tablename__ = "key_change_log"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # 0 where it was about the other.
    key_number: Mapped[int] = mapped_column(Integer)
    tenant_number: Mapped[int] = mapped_column(Integer)
