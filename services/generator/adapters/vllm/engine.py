"""vLLM in this process: prompts as token ids in, deltas out."""

from collections.abc import Sequence
from typing import Any, Final

from torch._dynamo import config as compiler
from vllm import __version__ as vllm_version
from vllm import envs
from vllm.config.reasoning import ReasoningConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import GracefulHTTPError, VLLMClientError
from vllm.inputs import tokens_input
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from services.generator.adapters.context_check import check_context
from services.generator.adapters.grammars.grammars import Grammars
from services.generator.adapters.prompts.prompts import Prompts
from services.generator.adapters.vllm.arguments import NAMES, engine_arguments, sampling_arguments
from services.generator.adapters.vllm.checked_schemas import trust_checked_schemas
from services.generator.adapters.vllm.conversation import converse_as_the_server
from services.generator.adapters.vllm.cut_answers import tell_cut_answers
from services.generator.adapters.vllm.dtype import log_dtype
from services.generator.adapters.vllm.environment import fork_workers, quiet
from services.generator.adapters.vllm.frames import read_directly
from services.generator.adapters.vllm.long_prompts import hand_over_in_turns, turn_for
from services.generator.adapters.vllm.outputs import StepOutputs
from services.generator.adapters.vllm.processors import tell_processors
from services.generator.adapters.vllm.prompt_end import decode_from_the_end
from services.generator.adapters.vllm.stats import StatsSnapshot, stat_logger
from services.generator.adapters.vllm.thinking_state import MendedWorker
from services.generator.adapters.vllm.token_bytes import TokenBytes
from services.generator.adapters.vllm.tokenizer import direct
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.ports import (
    Capabilities,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Feature,
    Receive,
    VectorRequest,
)
from services.generator.domain.prompt import Chat, Text, TokenIds, field_of
from services.generator.domain.structure import FIELD, Structure
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.runtime.settings import SettingsError

_SHUTDOWN_SECONDS: Final = 5.0
_MAX_REASON_CHARACTERS: Final = 600
# vLLM is told class and age in one number, and keeps cached prefixes apart by salt.
_FEATURES: Final = (
    Feature.TOKEN_IDS
    | Feature.PREFIX_SALT
    | Feature.PRIORITY
    | Feature.OUTPUT_TOKEN_IDS
    | Feature.LOGPROBS
    | Feature.TIMINGS
    | Feature.LOAD
)


class VllmEngine:
    """One AsyncLLM; its `start` forks, so it comes before any connection."""

    def __init__(self, model: ServedModel, parameters: VllmParameters, clock: Clock) -> None:
        self._model = model
        self._parameters = parameters
        self._stats = StatsSnapshot(clock)
        self._llm: Any = None
        self._outputs: Any = None
        self._prompts: Prompts | None = None
        self._grammars: Grammars | None = None
        self._features = _FEATURES
        self._capabilities = Capabilities(model.context_tokens, 0, 0, _FEATURES)

    async def start(self) -> None:
        """Loads the model; raises SettingsError with vLLM's own reason if it cannot."""
        try:
            with quiet():
                self._load()
        except (ValueError, OSError, RuntimeError) as error:
            # No request has come yet, so nothing that vLLM says can hold a word of one.
            reason = " ".join(str(error).split())[:_MAX_REASON_CHARACTERS]
            raise SettingsError(f"vLLM cannot serve {self._model.path}: {reason}") from None
        envs.enable_envs_cache()

    def _load(self) -> None:
        is_cpu = current_platform.is_cpu()
        told = engine_arguments(self._model, self._parameters, is_cpu=is_cpu)
        check_context(self._model, self._parameters, told["dtype"], is_cpu=is_cpu)
        arguments = AsyncEngineArgs(**told)
        if (form := self._model.reasoning) is not None:
            self._features |= Feature.THINKING_BUDGET
            # vLLM writes the end of a section whose budget is used up.
            arguments.reasoning_config = ReasoningConfig(
                reasoning_start_str=form.begin, reasoning_end_str=form.end
            )
            arguments.worker_extension_cls = f"{MendedWorker.__module__}.{MendedWorker.__qualname__}"
        config = arguments.create_engine_config()
        dtype = log_dtype(config.model_config)
        if is_cpu:
            # To compile takes a C++ compiler, which not every machine has, and seconds of each start. Without
            # it vLLM's functions for logprobs run as they are written; on a CPU all else is eager anyway.
            compiler.disable = True
            tell_processors()
        fork_workers()
        tell_cut_answers()
        self._llm = AsyncLLM.from_vllm_config(
            config, stat_loggers=[stat_logger(self._stats)], disable_log_stats=True
        )
        read_directly(self._llm.engine_core)
        hand_over_in_turns(self._llm.engine_core)
        decode_from_the_end()
        renderer = self._llm.renderer
        self._outputs = StepOutputs(self._llm.output_processor, TokenBytes(renderer.tokenizer))
        # vLLM looks it up with every request, through a copy of the tokenizer that it lends.
        end_id = renderer.get_eos_token_id()
        renderer.get_eos_token_id = lambda: end_id
        tokenizer = renderer.tokenizer
        if not tokenizer.chat_template:
            raise ValueError("it has no chat template")
        converse = converse_as_the_server(config.model_config, tokenizer)
        self._prompts = Prompts(direct(tokenizer), converse, self._model.context_tokens)
        if hasattr(tokenizer, "backend_tokenizer"):
            self._features |= Feature.STRUCTURE
            self._grammars = Grammars(tokenizer.backend_tokenizer.to_str)
            trust_checked_schemas()
        cache = config.cache_config
        self._capabilities = Capabilities(
            self._model.context_tokens,
            cache.block_size,
            cache.num_gpu_blocks or 0,
            self._features,
            config.model_config.get_vocab_size(),
            "vllm",
            vllm_version,
            accelerator_memory_bytes=current_platform.get_device_total_memory()
            if current_platform.is_cuda_alike()
            else 0,
            dtype=dtype,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Known once the engine has started."""
        return self._capabilities

    async def tokenize(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the prompt's token ids; raises REQUEST_INVALID if the template refuses the roles."""
        if self._prompts is None:
            raise EngineFailedError
        return await self._prompts.token_ids(prompt)

    async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
        """Returns the text of token ids, in which control tokens have none or their spelling."""
        if self._prompts is None:
            raise EngineFailedError
        return await self._prompts.text(ids, spells_controls=spells_controls)

    async def check_structure(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Raises PARAMETER_UNSUPPORTED for a structure of which no grammar can be made in time."""
        if self._grammars is None:
            raise EngineFailedError
        await self._grammars.check(structure, field, tenant)

    async def embed(self, request: VectorRequest) -> bytes:
        """Refuses: this engine answers."""
        del request
        raise ComptoirError(Reason.MODEL_TASK_MISMATCH)

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        """Takes a request in; `receive` is called by vLLM's own handler of steps."""
        prompt = request.prompt
        input_ids = prompt.ids if isinstance(prompt, TokenIds) else await self.tokenize(prompt)
        self._check_fits(len(input_ids), request)
        # vLLM looks through them.
        await turn_for(input_ids)
        try:
            collector = await self._llm.add_request(
                request.request_id,
                tokens_input(list(input_ids), cache_salt=request.cache_salt),
                _sampling_params(request),
                priority=request.priority or 0,
            )
        except EngineDeadError:
            raise EngineFailedError from None
        except GracefulHTTPError:
            raise ComptoirError(Reason.REPLICA_OVERLOADED) from None
        except VLLMClientError as error:
            raise _refused(error) from None
        self._outputs.hand_over(collector, request, receive)

    async def abort(self, request_id: str) -> None:
        """Ends a request wherever it is; does nothing for an unknown one."""
        if self._llm is not None:
            await self._llm.abort(request_id)

    def load(self) -> EngineLoad:
        """Returns how busy it is, from memory."""
        return self._stats.load(self.unfinished_requests())

    def unfinished_requests(self) -> int:
        """Returns how many requests the engine holds; exact."""
        return 0 if self._llm is None else int(self._llm.get_num_unfinished_requests())

    async def check_health(self) -> None:
        """Raises EngineFailedError if the engine is dead."""
        if self._llm is None:
            raise EngineFailedError
        try:
            await self._llm.check_health()
        except EngineDeadError:
            raise EngineFailedError from None

    def shutdown(self) -> None:
        """Stops; blocks. With requests in flight vLLM would leave their streams hanging."""
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.shutdown(timeout=_SHUTDOWN_SECONDS)
        if self._grammars is not None:
            self._grammars.close()
        if self._prompts is not None:
            self._prompts.close()

    def _check_fits(self, input_tokens: int, request: EngineRequest) -> None:
        if self._llm is None:
            raise EngineFailedError
        if input_tokens + request.max_output_tokens > self._model.context_tokens:
            numbers = Numbers(self._model.context_tokens, input_tokens)
            raise ComptoirError(Reason.CONTEXT_TOO_LONG, field=field_of(request.prompt), numbers=numbers)


def _sampling_params(request: EngineRequest) -> Any:
    try:
        params = SamplingParams(
            **sampling_arguments(request.sampling),
            max_tokens=request.max_output_tokens,
            structured_outputs=_structured_outputs(request.structure),
            output_kind=RequestOutputKind.DELTA,
            # They are this request's alone.
            skip_clone=True,
        )
    except ValueError as error:
        raise _refused(error) from None
    # Behind vLLM's checks: it refuses several greedy choices, and OpenAI serves them.
    params.n = request.sampling.n
    return params


def _structured_outputs(structure: Structure | None) -> StructuredOutputsParams | None:
    if structure is None:
        return None
    if structure.grammar:
        return StructuredOutputsParams(grammar=structure.grammar)
    return StructuredOutputsParams(json=structure.json_schema)


def _refused(error: ValueError | VLLMClientError) -> ComptoirError:
    """Returns the refusal with the parameter that vLLM names, such as a token id that the model has not."""
    name = getattr(error, "parameter", None)
    return ComptoirError(Reason.REQUEST_INVALID, field=f"sampling.{name}" if name in NAMES else "sampling")
