"""Picks the engine that its parameters are for; only that one is imported."""

from pathlib import Path

from services.generator.domain.engine_parameters import EngineParameters, ServedModel, SimulatedParameters
from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.generator.domain.ports import Engine
from services.kernel.catalog import Task
from services.kernel.clock import Clock
from services.runtime.settings import SettingsError


def engine_from(model: ServedModel, parameters: EngineParameters, clock: Clock) -> Engine:
    """Returns the engine, not started; raises SettingsError if there is no model to start it with."""
    if isinstance(parameters, SimulatedParameters):
        if model.task is Task.EMBED:
            from services.generator.adapters.simulated.embedding import (  # noqa: PLC0415
                SimulatedEmbeddingEngine,
            )

            return SimulatedEmbeddingEngine(model, parameters, clock)
        from services.generator.adapters.simulated.engine import SimulatedEngine  # noqa: PLC0415

        return SimulatedEngine(model, parameters, clock)
    if isinstance(parameters, OpenAiServerParameters):
        if model.task is Task.EMBED:
            from services.generator.adapters.openai_server.embedding import (  # noqa: PLC0415
                OpenAiServerEmbeddingEngine,
            )

            return OpenAiServerEmbeddingEngine(model, parameters, clock)
        from services.generator.adapters.openai_server.engine import OpenAiServerEngine  # noqa: PLC0415

        return OpenAiServerEngine(model, parameters, clock)
    if not parameters.is_download_allowed and not Path(model.path).is_dir():
        raise SettingsError(f"there is no model folder {model.path}; set generator.model_path.")
    # vLLM takes seconds to import, is not installed everywhere, and reads its environment once.
    from services.generator.adapters.vllm.environment import quiet_import, set_environment  # noqa: PLC0415
    from services.generator.adapters.vllm.imports import hasten_imports  # noqa: PLC0415

    set_environment(is_download_allowed=parameters.is_download_allowed, cpu_threads=parameters.cpu_threads)
    hasten_imports()
    with quiet_import():
        if model.task is Task.EMBED:
            from services.generator.adapters.vllm.embedding import VllmEmbeddingEngine  # noqa: PLC0415

            return VllmEmbeddingEngine(model, parameters, clock)
        from services.generator.adapters.vllm.engine import VllmEngine  # noqa: PLC0415
    return VllmEngine(model, parameters, clock)
