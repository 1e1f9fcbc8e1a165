"""What must hold before anything starts: free ports, a folder that can be written, room on the disk."""

import errno
import os
import shutil
import socket
from typing import Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.generators import planned_generators
from deploy.local.stack.options import EMBEDDER, StackOptions, ports_of
from deploy.local.stack.paths import DataPaths

_MIN_FREE_BYTES: Final = 512 * 1024 * 1024


def check_ports(options: StackOptions) -> None:
    """Raises StackError for the first of the stack's ports that something else listens on."""
    generators = sum(each.name != EMBEDDER for each in planned_generators(options))
    ports = ports_of(options.port, generators, options.routers)
    span = ports[-1] - options.port + 1
    if not 1 <= options.port <= 65535 - span:  # the last port
        raise StackError(f"--port must leave room for {span} ports; choose one below {65536 - span}.")
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise StackError(
                    f"Port {port} of 127.0.0.1 is taken; choose another start with --port "
                    f"(the stack uses that port and the {span - 1} after it)."
                ) from None


def prepare_folder(paths: DataPaths) -> None:
    """Makes the data folder; StackError if it cannot be written or its disk is nearly full."""
    try:
        paths.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        free_bytes = shutil.disk_usage(paths.root).free
        if free_bytes < _MIN_FREE_BYTES:
            raise StackError(
                f"The disk of {paths.root} has {free_bytes // 2**20} MiB left; free at least "
                f"{_MIN_FREE_BYTES // 2**20} MiB or choose another --data-dir."
            )
        paths.create()
        probe = paths.root / "run" / ".write-probe"
        probe.write_bytes(os.urandom(4096))
        probe.unlink()
    except OSError as error:
        what = "is full" if error.errno == errno.ENOSPC else "cannot be written"
        raise StackError(f"{paths.root} {what}; free space or choose another --data-dir.") from None
