"""A real local broker for system tests."""

import json
from pathlib import Path
from typing import Any

import psutil

from tests.ports import free_port
from tests.system.running_process import RunningProcess


class KafkaProcess(RunningProcess):
    """`python -m deploy.local.kafka` on one data folder and free ports."""

    module, section, start_seconds = "deploy.local.kafka", "local_kafka", 90.0

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.data_folder = folder / "kafka"
        self.port, self.controller_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        super().__init__(folder, **settings)

    def defaults(self) -> dict[str, Any]:
        """One data folder, and a small heap."""
        return {
            "listen": self.address,
            "controller_port": self.controller_port,
            "data_folder": str(self.data_folder),
            "heap_megabytes": 256,
        }

    def is_ready(self) -> bool:
        """True if the ready file speaks of the process that was started last."""
        try:
            ready = json.loads((self.data_folder / "ready").read_text(encoding="ascii"))
        except FileNotFoundError:
            return False
        return bool(ready == {"pid": self.process.pid, "address": self.address})

    def java(self) -> psutil.Process:
        """The Java process, as soon as there is one."""
        parent = psutil.Process(self.process.pid)
        for _ in range(round(self.start_seconds / 0.05)):
            for child in parent.children():
                if child.name() == "java":
                    return child
            if self.ended_within(0.05):
                break
        raise AssertionError(f"no Java was started:\n{self.stderr[-4000:]}")
