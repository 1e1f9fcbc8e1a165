"""Tells vLLM which processors there are from the kernel's files: it would ask `lscpu`, through a shell.

Images have neither.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from vllm.utils import cpu_resource_utils

_SYSTEM: Final = Path("/sys/devices/system")


class Processor(NamedTuple):
    """One logical processor: its number, that of its core, and that of the memory it is next to."""

    number: int
    core: int
    node: int


def tell_processors() -> None:
    """Has vLLM read them where it would start programs, in processes that are forked from this one too."""
    cpu_resource_utils._get_cpu_list = _as_vllm_has_them  # noqa: SLF001 - it has no other place for them


def online_processors(system: Path = _SYSTEM) -> list[Processor]:
    """Returns those that run, cores counted as `lscpu` counts them; without a topology each is a core."""
    nodes = {
        number: int(folder.name.removeprefix("node"))
        for folder in (system / "node").glob("node[0-9]*")
        for number in _numbers((folder / "cpulist").read_text())
    }
    cores: dict[str, int] = {}
    processors = []
    for number in _numbers((system / "cpu" / "online").read_text()):
        siblings = system / "cpu" / f"cpu{number}" / "topology" / "thread_siblings_list"
        key = siblings.read_text() if siblings.is_file() else str(number)
        processors.append(Processor(number, cores.setdefault(key, len(cores)), nodes.get(number, 0)))
    return processors


def _as_vllm_has_them() -> list[object]:
    return [cpu_resource_utils.LogicalCPUInfo(*one) for one in online_processors()]


def _numbers(ranges: str) -> Iterator[int]:
    """Yields the numbers of the kernel's notation: `0-3,8`."""
    for part in ranges.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            yield from range(int(first), int(last or first) + 1)
