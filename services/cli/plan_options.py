"""The options of `comptoir plan`: those of a region, and those of the memory of a replica."""

from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.capacity.assumptions import Assumptions
from services.cli.planning.asked import Dtype, KvDtype

_REGION: Final = "A region: how many processes serve so many streams"
_REPLICA: Final = "A replica: what fits on its GPUs (with --model)"
_FIELDS: Final = Assumptions.model_fields


def _about(name: str) -> str:
    return f"{_FIELDS[name].description}".replace("`", "")


Streams = Annotated[int, typer.Option(help=_about("streams"), rich_help_panel=_REGION)]
TokensPerSecond = Annotated[float, typer.Option(help=_about("tokens_per_second"), rich_help_panel=_REGION)]
OutputTokens = Annotated[float, typer.Option(help=_about("output_tokens"), rich_help_panel=_REGION)]
StreamsPerReplica = Annotated[
    int,
    typer.Option(
        help=f"{_about('streams_per_replica')}; with --model that is --concurrency", rich_help_panel=_REGION
    ),
]
IdleConnections = Annotated[
    float, typer.Option(help=_about("idle_connections_per_stream"), rich_help_panel=_REGION)
]
Utilization = Annotated[float, typer.Option(help=_about("utilization"), rich_help_panel=_REGION)]
CoreSpeed = Annotated[float, typer.Option(help=_about("core_speed"), rich_help_panel=_REGION)]
EdgeConnections = Annotated[int, typer.Option(help=_about("edge_connections"), rich_help_panel=_REGION)]
EdgeMemory = Annotated[int, typer.Option(help=_about("edge_memory_mebibytes"), rich_help_panel=_REGION)]
FrameEvents = Annotated[int, typer.Option(help=_about("frame_events"), rich_help_panel=_REGION)]

Model = Annotated[
    str,
    typer.Option(
        metavar="FOLDER|NAME",
        help="folder with the model's config.json, or the name of one that ships here; nothing is fetched",
        rich_help_panel=_REPLICA,
    ),
]
GpuName = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="GPU of the catalog; left out, the cheapest that fits", rich_help_panel=_REPLICA
    ),
]
Context = Annotated[
    int,
    typer.Option(
        "--context",
        help="tokens of a request, prompt and answer; 0 is the model's own",
        rich_help_panel=_REPLICA,
    ),
]
Concurrency = Annotated[int, typer.Option(help="requests of that length at once", rich_help_panel=_REPLICA)]
TensorParallel = Annotated[int, typer.Option(help="GPUs that share each layer", rich_help_panel=_REPLICA)]
PipelineParallel = Annotated[
    int, typer.Option(help="stages of layers, one after another", rich_help_panel=_REPLICA)
]
KvType = Annotated[
    KvDtype,
    typer.Option(
        "--kv-dtype", help="numbers of the KV cache; auto is the weights'", rich_help_panel=_REPLICA
    ),
]
WeightType = Annotated[
    Dtype, typer.Option("--dtype", help="numbers of weights that are not quantised", rich_help_panel=_REPLICA)
]
BlockTokens = Annotated[int, typer.Option(help="tokens of a block of the KV cache", rich_help_panel=_REPLICA)]
BatchedTokens = Annotated[
    int, typer.Option(help="tokens of one step (generator.vllm.max_batched_tokens)", rich_help_panel=_REPLICA)
]
GpuUtilization = Annotated[
    float,
    typer.Option(
        "--gpu-memory-utilization",
        help="share of a GPU's memory that the engine uses",
        rich_help_panel=_REPLICA,
    ),
]
ReserveGib = Annotated[
    float,
    typer.Option(
        "--reserve-gib",
        help="GiB of each GPU for all but weights and cache; 0 estimates it",
        rich_help_panel=_REPLICA,
    ),
]
BandwidthShare = Annotated[
    float, typer.Option(help="share of the memory's bandwidth that decoding gets", rich_help_panel=_REPLICA)
]
GpusFile = Annotated[
    Path | None,
    typer.Option(
        "--gpus", metavar="FILE", help="your own catalog of GPUs and prices (YAML)", rich_help_panel=_REPLICA
    ),
]
PricesFile = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="FILE",
        help="settings whose router.gpu_prices hold, by the gpu_class of --gpus",
        rich_help_panel=_REPLICA,
    ),
]
Explain = Annotated[bool, typer.Option(help="print the arithmetic, line by line", rich_help_panel=_REPLICA)]
