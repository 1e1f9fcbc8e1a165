"""Becomes a container of this machine's own files: run alone in new network and mount namespaces, as root.

What a container engine does with a service of the file: a root of its own that may not be written, mounts,
names, its user, no capability and no way to a new one. It waits for a line of input, by when its network is
there, and ends by being the service's command.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Mounts, drops every right, and executes."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    socket.sethostname(spec["hostname"])
    root = _root(Path(spec["scratch"]))
    with (root / "etc" / "passwd").open("a") as users:
        users.write(f"image:x:{spec['uid']}:{spec['gid']}::/tmp:/bin/sh\n")
    for mount in spec["mounts"]:
        _mount(root, mount)
    if spec["is_read_only"]:
        _run("mount", "-o", "remount,bind,ro", str(root))
    sys.stdin.readline()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chroot(root)
    os.chdir("/")
    rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--pdeathsig", "KILL"]
    user = [f"--reuid={spec['uid']}", f"--regid={spec['gid']}", "--clear-groups"]
    os.execve("/usr/bin/setpriv", ["setpriv", *user, *rights, "--", *spec["command"]], spec["env"])  # noqa: S606


def _root(scratch: Path) -> Path:
    """Returns a root with the files of this machine, in which whatever is written stays apart."""
    root = scratch / "root"
    for folder in (root, scratch / "layers"):
        folder.mkdir()
    _run("mount", "-t", "tmpfs", "layers", str(scratch / "layers"))
    for name in ("upper", "work"):
        (scratch / "layers" / name).mkdir()
    layers = f"lowerdir=/,upperdir={scratch}/layers/upper,workdir={scratch}/layers/work"
    _run("mount", "-t", "overlay", "root", "-o", layers, str(root))
    _run("mount", "--rbind", "/proc", str(root / "proc"))
    _run("mount", "--rbind", "/dev", str(root / "dev"))
    return root


def _mount(root: Path, mount: dict[str, Any]) -> None:
    target = _inside(root, mount["target"])
    if mount["type"] == "tmpfs":
        target.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", mount["options"], "scratch", str(target))
        return
    source = Path(mount["source"])
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _run("mount", "--bind", str(source), str(target))
    if mount.get("read_only"):
        _run("mount", "-o", "remount,bind,ro", str(target))


def _inside(root: Path, path: str) -> Path:
    """Returns where a path of the container is, whose links would lead out of its root."""
    place = root
    for part in Path(path.lstrip("/")).parts:
        place /= part
        if place.is_symlink():
            link = place.readlink()
            to = root / str(link).lstrip("/") if link.is_absolute() else place.parent / link
            # One into a folder of this machine's user is none of an image's.
            if to.is_dir() and all(it.stat().st_mode & 0o001 for it in (to, *to.parents)):
                place = to
            else:
                place.unlink()
    return place


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=60)


if __name__ == "__main__":
    main()
