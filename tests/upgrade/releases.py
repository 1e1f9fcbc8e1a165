"""Earlier releases as they were shipped: their programs to run, and their charts to install."""

import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.upgrade.keep import RELEASES, SUMS, digest


@dataclass(frozen=True)
class Release:
    """What is kept of one release; `SHA256SUMS` says that it is what was shipped."""

    folder: Path

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version, to be compared."""
        return tuple(map(int, self.version.split(".")))

    @property
    def chart(self) -> Path:
        """The packaged chart, which 0.2.0 is the first to have."""
        (found,) = self.folder.glob("*.tgz")
        return found

    def sums(self) -> dict[str, str]:
        """The digest of each file by its name."""
        pairs = (line.split("  ") for line in (self.folder / SUMS).read_text().splitlines())
        return {name: sha256 for sha256, name in pairs}

    def unpack(self, folder: Path) -> Path:
        """Installs the wheels into a folder, which goes first on a process's path."""
        for name, sha256 in self.sums().items():
            assert digest(self.folder / name) == sha256, name
            if name.endswith(".whl"):
                with zipfile.ZipFile(self.folder / name) as wheel:
                    wheel.extractall(folder)
        return folder


@cache
def releases() -> tuple[Release, ...]:
    """All that are kept, the earliest first."""
    found = (Release(path) for path in RELEASES.iterdir() if path.is_dir())
    return tuple(sorted(found, key=lambda release: release.numbers))


# Programs and chart are upgraded from the latest; programs from the earliest too, over all that changed.
EARLIEST: Final = releases()[0]
LATEST: Final = releases()[-1]
