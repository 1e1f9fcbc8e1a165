"""`--what-if gpu=l40s,utilisation=0.8`: what is asked, and the price and speed of another accelerator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.local.stack.errors import StackError
from services.cli.reports.cost import WhatIf
from services.memory.gpus import GpuCatalog

_WORDS: Final = ("gpu", "utilisation", "price", "speed")
_MOST: Final = 1e9
_HOW: Final = "--what-if takes gpu=NAME, utilisation=0.8, price=1.20 and speed=0.5, with commas between them."


@dataclass(frozen=True, slots=True)
class Asked:
    """What was written; None where it was not."""

    gpu: str | None = None
    utilisation: float | None = None
    price: float | None = None
    speed: float | None = None


def parse_what_if(text: str) -> Asked:
    """Returns what the option says; StackError with what it may say."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in _WORDS or not value or name in found:
            raise StackError(_HOW)
        found[name] = value
    try:
        numbers = {name: float(value) for name, value in found.items() if name != "gpu"}
    except ValueError:
        raise StackError(_HOW) from None
    if not all(0 <= value < _MOST for value in numbers.values()):
        raise StackError(_HOW)
    if not 0 < numbers.get("utilisation", 1) <= 1 or not numbers.get("speed", 1):
        raise StackError("--what-if: utilisation is above 0 and at most 1, and speed above 0.")
    return Asked(gpu=found.get("gpu"), **numbers)


def supposed(
    asked: Asked, now: str, listed: Mapping[str, float], currency: str, catalog: GpuCatalog
) -> tuple[WhatIf, str]:
    """Returns what to reckon with for replicas on the class `now`, and where its numbers are from.

    A price comes from the option, the store's price list, or the catalog of GPUs; a speed from the option, or
    the memory bandwidths of the catalog, which bound decoding. StackError where no price is known.
    """
    price, source = _price(asked, listed, currency, catalog)
    speed, how_fast = _speed(asked, now, catalog)
    return WhatIf(price, asked.utilisation, speed), f"{source}; {how_fast}"


def _price(
    asked: Asked, listed: Mapping[str, float], currency: str, catalog: GpuCatalog
) -> tuple[float | None, str]:
    if asked.price is not None:
        return asked.price, f"{asked.price:g} {currency} an hour as you say"
    if asked.gpu is None:
        return None, "the price that was paid"
    if asked.gpu in listed:
        return listed[asked.gpu], f"{listed[asked.gpu]:g} {currency} an hour by the price list"
    gpu = catalog.by_name(asked.gpu)
    price = None if gpu is None or catalog.currency != currency else catalog.price_per_hour(gpu)
    if gpu is None or gpu.price is None or price is None:
        raise StackError(
            f"No price of {asked.gpu} in {currency} is known: say it, --what-if gpu={asked.gpu},price=1.20."
        )
    return price, f"{price:.2f} {currency} an hour, {gpu.price.source}, read on {gpu.price.read_on}"


def _speed(asked: Asked, now: str, catalog: GpuCatalog) -> tuple[float, str]:
    if asked.speed is not None:
        return asked.speed, f"{asked.speed:g} times as fast as you say"
    then, there = catalog.by_name(asked.gpu or now), catalog.by_name(now)
    if asked.gpu is None or asked.gpu == now:
        return 1.0, "as fast as now"
    if then is None or there is None:
        return 1.0, "as fast as now, since a memory bandwidth is not known: say speed="
    speed = then.bandwidth_gigabytes_per_second / there.bandwidth_gigabytes_per_second
    return speed, f"{speed:.2f} times as fast, by memory bandwidth"
