"""What an image's SBOM and list of licences say, of an environment and packages made for it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.images import bill
from deploy.images.bill import BillError, debian_components, debian_licences, whole_bill

STATUS = """\
Package: {name}
Status: install ok installed
Architecture: amd64
Version: {version}
Description: one
 two
"""
COPYRIGHT = """\
Format: https://example.eu/1.0/

Files: *
License: Zlib

Files: a/*
License: BSD-3-clause
 .

License: Zlib
"""
METADATA = "Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n"


@pytest.fixture
def status(tmp_path: Path) -> Path:
    folder = tmp_path / "status.d"
    folder.mkdir()
    for name, version in (("zlib1g", "1:1.2.13.dfsg-1"), ("libc6", "2.36-9+deb12u13"), ("tzdata", "2026a-0")):
        (folder / name).write_text(STATUS.format(name=name, version=version))
    return folder


@pytest.fixture
def copyrights(tmp_path: Path) -> Path:
    folder = tmp_path / "doc"
    (folder / "zlib1g").mkdir(parents=True)
    (folder / "zlib1g" / "copyright").write_text(COPYRIGHT)
    (folder / "libc6").mkdir()
    # In words, and not all of UTF-8.
    (folder / "libc6" / "copyright").write_bytes(b"This is of J\xfcrgen, under the LGPL.\n")
    return folder


def python_bill(*names: str) -> dict[str, Any]:
    components = [
        {
            "type": "library",
            "bom-ref": f"{it}==1.0",
            "name": it,
            "version": "1.0",
            "purl": f"pkg:pypi/{it}@1.0",
        }
        for it in names
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {},
        "components": components,
    }


def test_debian_s_packages_are_named_as_scanners_know_them_and_in_one_order(status: Path) -> None:
    found = list(debian_components(status))
    assert [it["name"] for it in found] == ["libc6", "tzdata", "zlib1g"]
    assert found[0]["version"] == "2.36-9+deb12u13"
    assert found[0]["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=debian-12"
    assert found[2]["purl"] == "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12"
    assert {it["bom-ref"] for it in found} == {it["purl"] for it in found}


def test_licences_are_those_that_a_package_names_or_where_it_tells_them(
    status: Path, copyrights: Path
) -> None:
    told = {
        it["Name"]: (it["License"], it["From"])
        for it in debian_licences(list(debian_components(status)), copyrights)
    }
    assert told == {
        "libc6": ("see /usr/share/doc/libc6/copyright", "Debian"),
        "tzdata": ("see /usr/share/doc/tzdata/copyright", "Debian"),
        "zlib1g": ("BSD-3-clause; Zlib", "Debian"),
    }


def test_the_bill_of_an_image_is_of_both_and_the_same_twice(status: Path) -> None:
    debian = list(debian_components(status))
    texts = {whole_bill("comptoir-edge", python_bill("comptoir", "grpcio"), debian) for _ in range(2)}
    (text,) = texts
    said = json.loads(text)
    assert [it["name"] for it in said["components"]] == ["comptoir", "grpcio", "libc6", "tzdata", "zlib1g"]
    assert said["metadata"]["component"] == {
        "type": "container",
        "bom-ref": "comptoir-edge",
        "name": "comptoir-edge",
        "version": "1.0",
    }
    assert "timestamp" not in said["metadata"]
    assert "serialNumber" not in said


def test_a_bill_that_its_format_does_not_allow_ends_the_build(status: Path) -> None:
    debian = list(debian_components(status))
    with pytest.raises(BillError, match=r"^the SBOM of comptoir-edge is not valid"):
        whole_bill("comptoir-edge", python_bill("comptoir"), [{**debian[0], "type": "package"}])
    # One component twice.
    with pytest.raises(BillError):
        whole_bill("comptoir-edge", python_bill("comptoir"), [debian[0], debian[0]])


def test_the_command_lists_an_environment_and_says_nothing_of_the_machine(
    status: Path, copyrights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = made_environment(tmp_path / "environment")
    monkeypatch.setattr(bill, "ENVIRONMENT", environment)
    monkeypatch.setattr(bill, "STATUS", status)
    monkeypatch.setattr(bill, "COPYRIGHTS", copyrights)
    bill.main(["comptoir-edge", str(tmp_path / "out")])
    text = (tmp_path / "out" / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = {it["name"]: it for it in json.loads(text)["components"]}
    assert set(components) == {"comptoir", "thing", "libc6", "tzdata", "zlib1g"}
    assert components["thing"]["licenses"][0]["license"]["id"] == "MIT"
    licences = json.loads((tmp_path / "out" / "licences.json").read_text())
    told = {it["Name"]: (it["License"], it["From"]) for it in licences}
    assert told["thing"] == ("MIT", "Python")
    assert told["comptoir"] == ("Apache-2.0", "Python")
    assert told.keys() == set(components)
    for path in (tmp_path, Path(sys.prefix), Path.cwd()):
        assert str(path) not in text
        assert str(path) not in json.dumps(licences)


def made_environment(folder: Path) -> Path:
    """An interpreter that finds two distributions, and nothing of where this test runs."""
    binary = folder / "bin" / "python"
    binary.parent.mkdir(parents=True)
    binary.symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(
        f"home = {Path(sys.executable).resolve().parent}\ninclude-system-site-packages = false\n"
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name, number, licence in (("comptoir", "0.3.0", "Apache-2.0"), ("thing", "1.2", "MIT")):
        metadata = folder / "lib" / version / "site-packages" / f"{name}-{number}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(METADATA.format(name=name, version=number, licence=licence))
    return binary
