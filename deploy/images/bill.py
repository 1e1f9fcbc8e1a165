"""Writes what an image holds: an SBOM in CycloneDX, and the licences, of Python's and of Debian's packages.

`python bill.py IMAGE FOLDER`, in the build of the image.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

Component = dict[str, Any]

ENVIRONMENT: Final = Path("/opt/comptoir/bin/python")
STATUS: Final = Path("/var/lib/dpkg/status.d")
COPYRIGHTS: Final = Path("/usr/share/doc")
_TOOLS: Final = Path(sys.executable).parent
_SCHEMA: Final = "1.6"
# Of a copyright file in Debian's format.
_LICENCE: Final = re.compile(r"^License: *([^\n]+)$", re.MULTILINE)


class BillError(Exception):
    """The SBOM is not what its format says."""


def debian_components(status: Path) -> Iterator[Component]:
    """Yields the packages by what Debian says of each."""
    for file in sorted(status.iterdir()):
        said = HeaderParser().parsestr(file.read_text(encoding="utf-8"))
        name, version = said["Package"], said["Version"]
        more = {"arch": said["Architecture"], "distro": "debian-12"}
        purl = PackageURL("deb", "debian", name, version, more).to_string()
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def debian_licences(components: Sequence[Component], copyrights: Path) -> Iterator[dict[str, str]]:
    """Yields the licences that each package names, or where they are told."""
    for component in components:
        path = copyrights / component["name"] / "copyright"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        named = sorted({name.strip() for name in _LICENCE.findall(text)})
        place = f"see /usr/share/doc/{component['name']}/copyright"
        yield {
            "Name": component["name"],
            "Version": component["version"],
            "License": "; ".join(named) or place,
            "From": "Debian",
        }


def whole_bill(image: str, python: Component, debian: Sequence[Component]) -> str:
    """The SBOM of an image, of that of its Python and of Debian's packages."""
    own = next(one for one in python["components"] if one["name"] == "comptoir")
    python["metadata"]["component"] = {
        "type": "container",
        "bom-ref": image,
        "name": image,
        "version": own["version"],
    }
    python["components"] = [*python["components"], *debian]
    text = json.dumps(python, indent=1, sort_keys=True) + "\n"
    fault = JsonStrictValidator(SchemaVersion.from_version(_SCHEMA)).validate_str(text)
    if fault is not None:
        raise BillError(f"the SBOM of {image} is not valid: {fault}")
    return text


def _said(*command: str | Path) -> Any:
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - its own tools
    return json.loads(done.stdout)


def main(arguments: Sequence[str]) -> None:
    """Writes both into the folder."""
    image, folder = arguments[0], Path(arguments[1])
    # Validated when it is whole.
    options = ("--output-reproducible", "--no-validate", "--spec-version", _SCHEMA, "--output-format", "JSON")
    python = _said(_TOOLS / "cyclonedx-py", "environment", *options, ENVIRONMENT)
    debian = list(debian_components(STATUS))
    licences = _said(_TOOLS / "pip-licenses", f"--python={ENVIRONMENT}", "--format=json", "--with-system")
    licences = [{**one, "From": "Python"} for one in licences]
    licences += debian_licences(debian, COPYRIGHTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(whole_bill(image, python, debian), encoding="utf-8")
    (folder / "licences.json").write_text(
        json.dumps(licences, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
