"""Runs one generator: `python -m services.generator --config FILE`."""

import sys

import uvloop

from services.generator.adapters.generation_meter import VLLM_NAMES
from services.generator.process import run
from services.generator.settings import GeneratorSettings
from services.runtime import logs, telemetry
from services.runtime.privacy import keep_private
from services.runtime.settings import SettingsError, from_command_line


def main() -> int:
    """Runs a generator until it is told to stop."""
    settings = from_command_line(GeneratorSettings, section="generator", description="Generates tokens.")
    keep_private()
    logs.configure("generator", settings.log_level)
    exporters = telemetry.configure(settings, "generator", aliases=VLLM_NAMES)
    try:
        status: int = uvloop.run(run(settings, exporters))
    except SettingsError as error:
        sys.stderr.write(f"comptoir generator: {error}\n")
        return 2
    else:
        return status
    finally:
        exporters.shutdown()


if __name__ == "__main__":
    sys.exit(main())
