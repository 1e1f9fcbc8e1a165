"""The libraries of the image for GPUs, which is not built here: what can be known of them without a GPU."""

import subprocess
from pathlib import Path

import pytest

from deploy.images.build import CUDA, REPOSITORY

pytestmark = [
    pytest.mark.system,
    pytest.mark.alone,
    pytest.mark.images,
    pytest.mark.large,
    pytest.mark.timeout(900),
]

UV = REPOSITORY / ".tools" / "bin" / "uv"
# Debian 12: its Python, its C library.
INTO = ("--python-version=3.11", "--python-platform=x86_64-manylinux_2_36", "--only-binary=:all:")


def test_every_locked_library_has_a_wheel_for_the_image_under_its_locked_hash(tmp_path: Path) -> None:
    locked = REPOSITORY / "requirements" / f"{CUDA}.txt"
    done = subprocess.run(
        (UV, "pip", "install", "--dry-run", "--require-hashes", *INTO, f"--target={tmp_path}", "-r", locked),
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {line.split("==")[0].strip(" +") for line in done.stderr.splitlines() if line.startswith(" + ")}
    assert {"vllm", "torch", "triton", "nvidia-cusolver", "flashinfer-python"} <= found
