"""Where a stack keeps what it must not lose, in one folder."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.stack.errors import StackError

# The kernel's limit for a unix socket path is 108 bytes, its closing zero included.
_MAX_SOCKET_PATH_BYTES: Final = 100
_LONGEST_SOCKET_NAME: Final = "replicas-2.sock"
_OWNER_ONLY: Final = 0o700


@dataclass(frozen=True, slots=True)
class DataPaths:
    """The folders and files below one data folder."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the supervisor while it lives."""
        return self.root / "lock"

    @property
    def config(self) -> Path:
        """The settings that all processes were started with."""
        return self.root / "comptoir.yaml"

    def config_of(self, process: str) -> Path:
        """Returns the same for one whose section is another, which is one beside the first of its kind."""
        return self.root / f"comptoir-{process}.yaml"

    def is_config(self, path: str) -> bool:
        """Returns whether a process that was started with these settings is one of this folder."""
        named = Path(path)
        return named.parent == self.root and named.name.startswith("comptoir") and named.suffix == ".yaml"

    @property
    def state(self) -> Path:
        """What runs now, as JSON."""
        return self.root / "run" / "state.json"

    @property
    def secrets(self) -> Path:
        """Keys and salts, readable by their owner only."""
        return self.root / "secrets"

    @property
    def api_key(self) -> Path:
        """The first API key, for `comptoir chat` and scripts of the same person."""
        return self.secrets / "local-api-key"

    @property
    def console_secret(self) -> Path:
        """From which links to the console are made."""
        return self.secrets / "console-sign-in"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def router_database(self) -> Path:
        """Tenants and keys."""
        return self.root / "router" / "router.sqlite"

    @property
    def spool(self) -> Path:
        """The emitter's spool."""
        return self.root / "emitter"

    @property
    def kafka(self) -> Path:
        """The local broker's logs."""
        return self.root / "kafka"

    @property
    def clickhouse(self) -> Path:
        """The local store."""
        return self.root / "clickhouse"

    @property
    def sockets(self) -> Path:
        """The folder of all sockets; in the system's folder for such where the data path is too long."""
        folder = self.root / "run"
        if len(str(folder / _LONGEST_SOCKET_NAME).encode()) <= _MAX_SOCKET_PATH_BYTES:
            return folder
        name = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"comptoir-{name}"

    @property
    def admin_socket(self) -> Path:
        """The router's admin service."""
        return self.sockets / "admin.sock"

    @property
    def replica_socket(self) -> Path:
        """The router's service for replicas."""
        return self.sockets / "replicas.sock"

    def replica_socket_of(self, router: int) -> Path:
        """Returns the service for replicas of the router with that number."""
        return self.replica_socket if router == 1 else self.sockets / f"replicas-{router}.sock"

    def admin_socket_of(self, router: int) -> Path:
        """Returns the admin service of the router with that number."""
        return self.admin_socket if router == 1 else self.sockets / f"admin-{router}.sock"

    @property
    def emitter_socket(self) -> Path:
        """The emitter's service."""
        return self.sockets / "emitter.sock"

    def create(self) -> None:
        """Makes every folder, for its owner only; one that an earlier version left open is closed."""
        # The data folder itself may be one that others use too, so its mode is left as it is.
        self.root.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
        for folder in (
            self.logs,
            self.router_database.parent,
            self.spool,
            self.kafka,
            self.clickhouse,
            self.secrets,
            self.state.parent,
        ):
            folder.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
            folder.chmod(_OWNER_ONLY)
        self.sockets.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
        # Every user may write to the system's folder: another may have made ours first, or made it a link.
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.getuid():
            raise StackError(f"{self.sockets} belongs to another user; choose a shorter --data-dir.")
        self.sockets.chmod(_OWNER_ONLY)
