"""The catalog of GPUs: memory, bandwidth and a dated price of each, checked before it is used."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_GIBIBYTE: Final = 2**30
_GIGABYTE: Final = 10**9
_NAME: Final = r"^[a-z0-9][a-z0-9.-]*$"
_CURRENCY: Final = r"^[A-Z]{3}$"
_STRICT: Final = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rate(BaseModel):
    """What a unit of another currency is in that of the catalog."""

    model_config = _STRICT

    rate: float = Field(gt=0, le=1_000_000)
    read_on: dt.date
    source: str = Field(min_length=1, max_length=200)


class GpuPrice(BaseModel):
    """What a GPU costs in an hour, where and when that was read."""

    model_config = _STRICT

    amount: float = Field(ge=0, le=100_000, description="of one GPU for an hour")
    currency: str = Field(pattern=_CURRENCY)
    read_on: dt.date
    source: str = Field(min_length=1, max_length=200)


class Gpu(BaseModel):
    """One kind of GPU."""

    model_config = _STRICT

    name: str = Field(pattern=_NAME, max_length=32)
    memory_gibibytes: float = Field(gt=0, le=10_000)
    bandwidth_gigabytes_per_second: float = Field(gt=0, le=1_000_000)
    has_fp8: bool
    source: str = Field(min_length=1, max_length=200)
    gpu_class: int = Field(
        default=0, ge=0, le=65_535, description="your number of it (`generator.gpu_class`), or 0"
    )
    price: GpuPrice | None = None

    @property
    def memory_bytes(self) -> int:
        """What CUDA tells a program."""
        return int(self.memory_gibibytes * _GIBIBYTE)

    @property
    def bytes_per_second(self) -> float:
        """What it reads from its memory in a second, at most."""
        return self.bandwidth_gigabytes_per_second * _GIGABYTE


class GpuCatalog(BaseModel):
    """All that are known, by the catalog's currency."""

    model_config = _STRICT

    read_on: dt.date
    currency: str = Field(pattern=_CURRENCY)
    rates: dict[str, Rate] = Field(default_factory=dict, max_length=64)
    gpus: tuple[Gpu, ...] = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _each_is_once_and_its_price_has_a_rate(self) -> Self:
        if len({gpu.name for gpu in self.gpus}) < len(self.gpus):
            raise ValueError("names a GPU twice")
        known = {self.currency, *self.rates}
        if any(gpu.price is not None and gpu.price.currency not in known for gpu in self.gpus):
            raise ValueError("has a price in a currency without a rate")
        return self

    def by_name(self, name: str) -> Gpu | None:
        """Returns the GPU of a name; None where none has it."""
        return next((gpu for gpu in self.gpus if gpu.name == name.lower()), None)

    def price_per_hour(self, gpu: Gpu) -> float | None:
        """Returns what it costs in the catalog's currency; None where no price is known."""
        if gpu.price is None:
            return None
        is_own = gpu.price.currency == self.currency
        return gpu.price.amount * (1.0 if is_own else self.rates[gpu.price.currency].rate)

    def priced_by_class(self, prices: Mapping[int, float]) -> Self:
        """Returns the catalog with the prices of GPU classes, in its currency, in place of those it has."""
        priced = tuple(
            gpu.model_copy(
                update={
                    "price": GpuPrice(
                        amount=prices[gpu.gpu_class],
                        currency=self.currency,
                        read_on=self.read_on,
                        source=f"router.gpu_prices, class {gpu.gpu_class}",
                    )
                }
            )
            if gpu.gpu_class in prices
            else gpu
            for gpu in self.gpus
        )
        return self.model_copy(update={"gpus": priced})
