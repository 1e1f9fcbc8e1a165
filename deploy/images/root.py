"""Lays the files of some Debian packages into an empty folder: the root of an image.

`python3 root.py FOLDER PACKAGE...`, where the packages are installed. There is neither a shell nor a package
program unless it is named. What a scanner reads (`var/lib/dpkg/status.d`) and the licences stay.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

USER: Final = 65532
# Debian's links of the merged /usr, which the linker and programs follow.
_MERGED: Final = ("bin", "lib", "lib32", "lib64", "sbin")
_LEFT_OUT: Final = re.compile(
    r"/usr/share/(man|info|locale|lintian|bug|menu|applications|pixmaps|binfmts|python3/runtime.d)(/|$)"
    r"|/usr/share/doc/(?!.*/copyright$)"
    r"|/usr/lib/python3[^/]*/(test|idlelib|lib2to3|ensurepip|pydoc_data|turtledemo)(/|$)"
    r"|/etc/(init|cron|logrotate|update-motd|profile|default|dpkg)[^/]*(/|$)"
)
_ACCOUNTS: Final = {
    "passwd": (
        "root:x:0:0:root:/:/sbin/nologin\ncomptoir:x:{user}:{user}:comptoir:/nonexistent:/sbin/nologin\n"
    ),
    "group": "root:x:0:\ncomptoir:x:{user}:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Made by what Debian runs after an installation, and belonging to no package's list.
_MADE: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/localtime")


def lay(root: Path, packages: Sequence[str], *, source: Path = Path("/")) -> None:
    """Lays every file of the packages below `root`; what this machine dropped of them is left out."""
    for name in _MERGED:
        _link_as(source / name, root / name)
    for package in packages:
        for path in _files(package):
            if not _LEFT_OUT.search(path):
                _copy(source / path.lstrip("/"), root / path.lstrip("/"))
        _say_installed(root, package)
    for path in _MADE:
        _copy(source / path.lstrip("/"), root / path.lstrip("/"))


def add_accounts(root: Path) -> None:
    """Names the two users that there are, and how names are looked up."""
    (root / "etc").mkdir(exist_ok=True)
    for name, text in _ACCOUNTS.items():
        (root / "etc" / name).write_text(text.format(user=USER))


def _files(package: str) -> Iterator[str]:
    yield from _said("dpkg-query", "--listfiles", package).splitlines()


def _say_installed(root: Path, package: str) -> None:
    folder = root / "var" / "lib" / "dpkg" / "status.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / package).write_text(_said("dpkg-query", "--status", package))


def _link_as(link: Path, place: Path) -> None:
    if link.is_symlink() and not place.is_symlink():
        target = link.readlink()
        (place.parent / target).mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _copy(source: Path, place: Path) -> None:
    if source.is_symlink() or source.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink() and not place.exists():
            shutil.copy2(source, place, follow_symlinks=False)


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def main(arguments: Sequence[str]) -> None:
    """Lays the packages named after the folder into it."""
    folder, *packages = arguments
    root = Path(folder)
    root.mkdir(exist_ok=True)
    lay(root, packages)
    add_accounts(root)


if __name__ == "__main__":
    main(sys.argv[1:])
