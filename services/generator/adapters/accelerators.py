"""The memory of the accelerators that this process may use, as their driver tells it (NVML)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.logs import get_logger
from services.runtime.settings import environment

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """One accelerator's memory at one moment, in bytes."""

    device: int
    free_bytes: int
    total_bytes: int


class Accelerators:
    """The devices of one kind of driver; none where it is not there."""

    def __init__(self) -> None:
        self._nvml: Any = _nvml()
        self._handles: Sequence[tuple[int, Any]] = () if self._nvml is None else self._visible()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._handles)

    def memory(self) -> Sequence[Memory]:
        """Returns what is free of each; those that do not tell are left out."""
        found = []
        for index, handle in self._handles:
            try:
                told = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            except self._nvml.NVMLError:
                continue
            found.append(Memory(index, int(told.free), int(told.total)))
        return found

    def free_bytes(self) -> int:
        """Returns what is free of the one with the least; 0 where there is none."""
        return min((one.free_bytes for one in self.memory()), default=0)

    def _visible(self) -> Sequence[tuple[int, Any]]:
        """Returns the devices that CUDA shows: the driver's library shows all of the machine's."""
        nvml = self._nvml
        chosen = environment().get("CUDA_VISIBLE_DEVICES")
        wanted = None if chosen is None else {word.strip() for word in chosen.split(",")}
        try:
            handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
            return [
                (index, handle)
                for index, handle in enumerate(handles)
                if wanted is None or {str(index), _text(nvml.nvmlDeviceGetUUID(handle))} & wanted
            ]
        except nvml.NVMLError as error:
            _log.warning("accelerators_unknown", error_type=type(error).__name__)
            return ()


def _nvml() -> Any:  # the library has no types
    """Returns the driver's library, initialised; None without it or a driver."""
    try:
        import pynvml  # noqa: PLC0415 - vLLM for CUDA brings it; others have none
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
