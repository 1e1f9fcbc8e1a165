"""The parameters under vLLM's own names, without vLLM: a bare engine beside ours is told the same."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from services.generator.adapters.vllm.dtype import told_dtype
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.sampling import Sampling

# Told beside the rest: what the ticket and the context leave of the tokens, and how many choices.
_BESIDE: Final = frozenset({"max_output_tokens", "n"})
NAMES: Final = tuple(field.name for field in fields(Sampling) if field.name not in _BESIDE)
# On a GPU vLLM keeps a seed, to which it adds the index of a choice, as a signed number of 64 bits. A larger
# one would end the engine, with the answers of everybody.
_SEEDS: Final = 2**63 - 16
# What vLLM takes in another form than the schema; everything else goes as it is, under its own name.
_FORMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    # vLLM takes -1 for no seed; as the rest of a division it is one.
    "seed": lambda seed: None if seed is None else seed % _SEEDS,
    "stop": list,
    "stop_token_ids": list,
    "logit_bias": lambda bias: dict(bias) or None,
}


def engine_arguments(model: ServedModel, parameters: VllmParameters, *, is_cpu: bool) -> dict[str, Any]:
    """Returns the arguments of vLLM's AsyncEngineArgs; None leaves a choice to vLLM."""
    whole_prefill_tokens = parameters.whole_prefill_tokens(model.context_tokens)
    return {
        "model": model.path,
        "dtype": told_dtype(model, parameters, is_cpu=is_cpu),
        "max_model_len": model.context_tokens,
        "max_num_seqs": parameters.max_running_requests,
        # After a part of a seeded prompt vLLM sets its random generator back, and on a CPU none has that
        # method: the engine would die. There every prompt is prefilled in one step, so the step must hold it.
        "enable_chunked_prefill": False if is_cpu else None,
        "max_num_batched_tokens": whole_prefill_tokens if is_cpu else parameters.max_batched_tokens or None,
        "tensor_parallel_size": parameters.tensor_parallel_size,
        "kv_cache_memory_bytes": parameters.kv_cache_memory_bytes or None,
        "gpu_memory_utilization": parameters.gpu_memory_utilization,
        "enforce_eager": parameters.is_eager or is_cpu,
        "scheduling_policy": "priority",
        "enable_prefix_caching": True,
        "prefix_caching_hash_algo": "sha256",
        # The model folder's own defaults for sampling would make answers differ from what was asked.
        "generation_config": "vllm",
        # Its grammars keep every rule of JSON, raw control characters in strings among them, and its work per
        # step is bounded. There is no white space, of which some models never have enough.
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
        "trust_remote_code": False,
        "enable_log_requests": False,
        "use_tqdm_on_load": False,
        "shutdown_timeout": 0,
    }


def embedding_arguments(model: ServedModel, parameters: VllmParameters, *, is_cpu: bool) -> dict[str, Any]:
    """Returns the arguments for a model that makes vectors; None leaves a choice to vLLM."""
    common = engine_arguments(model, parameters, is_cpu=is_cpu)
    del common["structured_outputs_config"], common["generation_config"]
    return common | {
        "runner": "pooling",
        "convert": "embed",
        # Every input is computed whole, whatever its pooling, and nothing of it stays.
        "enable_prefix_caching": False,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": parameters.whole_prefill_tokens(model.context_tokens),
    }


def sampling_arguments(sampling: Sampling) -> dict[str, Any]:
    """Returns the arguments of vLLM's SamplingParams that say how tokens are chosen."""
    told = {name: getattr(sampling, name) for name in NAMES}
    return told | {name: form(told[name]) for name, form in _FORMS.items()}
