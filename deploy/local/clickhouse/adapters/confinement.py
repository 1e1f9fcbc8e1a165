"""The kernel's own bound (Landlock) on what this process may open and whom it may call.

The statement check and the engine's grants come first. This is for the hole that nobody has seen yet:
even then no file outside the store is read or written and no address is called.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import deploy
import services

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION: Final = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_SET_NO_NEW_PRIVILEGES: Final = 38
_BIND_TCP, _CONNECT_TCP = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
# Which rights the kernel knows, by the version of its interface: 2 adds links, 3 truncation, 5 devices.
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_NETWORK_SINCE: Final = 4

# Where interpreters, libraries, time zones and the machine's own figures are.
_READABLE: Final = (
    "/usr",
    "/lib",
    "/lib64",
    "/opt",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/auxv",
    "/proc/self/cgroup",
    "/proc/self/maps",
    "/proc/self/mountinfo",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
    "/proc/stat",
    "/proc/sys",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/urandom",
    "/dev/zero",
)
_WRITABLE: Final = ("/dev/null",)


def confine(folder: Path, writable: Iterable[Path], port: int) -> bool:
    """Confines this thread and those that it starts to programs, `folder` and binding `port`.

    Of `folder` only `writable` can be changed.
    False where the kernel has no Landlock; nothing is confined then. Call it before any thread starts.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << _RIGHTS[min(version, max(_RIGHTS))]) - 1
    network = _BIND_TCP | _CONNECT_TCP if version >= _NETWORK_SINCE else 0
    attributes = struct.pack("=QQ", rights, network) if network else struct.pack("=Q", rights)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in [folder, *_programs(folder)]:
            _allow_path(libc, ruleset, path, _READ & rights)
        for path in [*writable, *map(Path, _WRITABLE)]:
            _allow_path(libc, ruleset, path, rights)
        if network:
            _add(libc, ruleset, _NET_PORT, struct.pack("=QQ", _BIND_TCP, port))
        _call(libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _call(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _programs(folder: Path) -> list[Path]:
    """Returns where programs are: nothing that holds `folder`, whose neighbours are secrets."""
    entries = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, *_READABLE} - {""}
    paths = [Path(entry).resolve() for entry in entries]
    ours = [Path(package.__path__[0]).resolve() for package in (deploy, services)]
    return [*ours, *(path for path in paths if path != Path.cwd() and path not in folder.parents)]


def _allow_path(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        allowed = rights if path.is_dir() else rights & _OF_FILES
        _add(libc, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, opened))
    finally:
        os.close(opened)


def _add(libc: ctypes.CDLL, ruleset: int, kind: int, rule: bytes) -> None:
    _call(libc.syscall(_ADD_RULE, ruleset, kind, rule, 0))


def _call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the confinement")
