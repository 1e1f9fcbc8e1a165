"""The file of `comptoir apply`: which tenants and keys there are to be, and what keys may use."""

from datetime import UTC, datetime, time
from datetime import date as Date  # noqa: N812 - a field has the name
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from comptoir.router.v1 import admin_pb2, router_pb2
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from deploy.local.stack.errors import StackError
from services.cli.key_view import ENDPOINTS
from services.cli.limits import MONEY, NAMES, quota_of
from services.cli.problems import first_problem
from services.kernel.catalog import Catalog

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
_Name = Annotated[str, Field(min_length=1, max_length=256)]


def _limits_are_known(quota: dict[str, Decimal]) -> dict[str, Decimal]:
    try:
        quota_of(quota)
    except ValueError:
        known = ", ".join(name for name in NAMES if name != MONEY)
        raise ValueError(
            f"must have whole numbers for {known}, each within its bound, and an amount for {MONEY}"
        ) from None
    return quota


_Quota = Annotated[dict[str, Decimal], AfterValidator(_limits_are_known)]


class DeclaredKey(BaseModel):
    """A key, known by the secret in its file; what is left out is as `comptoir keys create` has it."""

    model_config = _STRICT

    secret_file: Path
    create_secret: bool = False
    label: str = Field(default="", max_length=64)
    models: tuple[_Name, ...] = ()
    endpoints: tuple[str, ...] = ()
    regions: tuple[_Name, ...] = ()
    # None leaves what the key has, and gives a new one the router's default.
    quota: _Quota | None = None
    # What `quota` leaves out is the router's default for a new key, and stays of one that is there.
    defaults_for_unset: bool = False
    priority: Literal["interactive", "default", "batch"] = "default"
    expires_on: Date | None = None
    is_disabled: bool = False

    @field_validator("endpoints")
    @classmethod
    def _endpoints_are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= ENDPOINTS.keys():
            raise ValueError(f"must be of {', '.join(ENDPOINTS)}")
        return names

    @model_validator(mode="after")
    def _no_limit_is_both(self) -> Self:
        if self.defaults_for_unset and not all((self.quota or {}).values()):
            raise ValueError("a limit of 0 is none: leave it out to have the default, or defaults_for_unset")
        return self

    def message(self, stored: admin_pb2.Quota | None = None) -> admin_pb2.Key:
        """Returns the key as the router would tell it, as far as it is declared; `stored` is what it has."""
        left = stored if self.defaults_for_unset else None
        ends = None if self.expires_on is None else datetime.combine(self.expires_on, time(), UTC)
        return admin_pb2.Key(
            label=self.label,
            models=sorted(self.models),
            endpoints=sorted(ENDPOINTS[name] for name in self.endpoints),
            regions=sorted(self.regions),
            quota=None if self.quota is None else quota_of(self.quota, left),
            best_priority=router_pb2.Priority.Value(f"PRIORITY_{self.priority.upper()}"),
            expires_at_seconds=0 if ends is None else int(ends.timestamp()),
            is_disabled=self.is_disabled,
        )


class DeclaredTenant(BaseModel):
    """A tenant with its keys; without a home region it is at the router's."""

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62})$")
    home_region: str = ""
    # Of all its keys together; None leaves what the tenant has, and gives a new one no limit.
    quota: _Quota | None = None
    is_disabled: bool = False
    keys: tuple[DeclaredKey, ...] = ()


class Declaration(BaseModel):
    """All of one file. Tenants and keys that are not in it are left alone."""

    model_config = _STRICT

    # As in the settings; None leaves the catalog alone.
    catalog: Catalog | None = None
    tenants: tuple[DeclaredTenant, ...] = ()

    @model_validator(mode="after")
    def _each_is_declared_once(self) -> Self:
        names = [tenant.name for tenant in self.tenants]
        files = [key.secret_file for tenant in self.tenants for key in tenant.keys]
        if len(set(names)) < len(names) or len(set(files)) < len(files):
            raise ValueError("a tenant's name or a secret_file stands twice")
        return self


def read_declaration(file: Path) -> Declaration:
    """Returns what a file declares, its paths from where it lies; StackError says what is wrong."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError:
        raise StackError(f"{file.name} cannot be read.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise StackError(f"{file.name} is not valid YAML.") from None
    if not isinstance(content, dict):
        raise StackError(f"{file.name} must be a YAML mapping with the keys catalog and tenants.")
    try:
        declaration = Declaration.model_validate(content)
    except ValidationError as error:
        raise StackError(f"{file.name}: {first_problem(error, 'the file')}") from None
    return _beside(declaration, file.parent)


def _beside(declaration: Declaration, folder: Path) -> Declaration:
    tenants = [
        tenant.model_copy(
            update={
                "keys": tuple(
                    key.model_copy(update={"secret_file": folder / key.secret_file}) for key in tenant.keys
                )
            }
        )
        for tenant in declaration.tenants
    ]
    return declaration.model_copy(update={"tenants": tuple(tenants)})
