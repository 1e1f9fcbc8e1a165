"""Runs one generator: `python -m services.generator --config FILE`."""

from services.generator.adapters.announcement import Announcement
from services.generator.adapters.generation_meter import VLLM_NAMES
from services.generator.process import EngineLostError, build
from services.generator.settings import GeneratorSettings
from services.runtime.process import run_process


def main() -> None:
    """Runs until SIGTERM, drains and exits; the statuses are those of `run_process`."""
    announcement = Announcement()
    run_process(
        "generator",
        GeneratorSettings,
        lambda settings: build(settings, announcement),
        # Before the event loop: it forks.
        prepare=announcement.begin,
        description=__doc__ or "",
        failures=(EngineLostError,),
        aliases=VLLM_NAMES,
    )


if __name__ == "__main__":
    main()
