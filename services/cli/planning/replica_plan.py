"""Plans a replica: what fits where it was asked to be, and the GPUs that would hold the load besides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from services.cli.planning.asked import Asked
from services.memory.architecture import Architecture
from services.memory.choice import Choice, cheapest_of, choice_of, choices_of, why_not
from services.memory.gpus import Gpu, GpuCatalog
from services.memory.replica import Gpus, Replica
from services.memory.reserve import GIB, Reserve, reserve_of
from services.memory.stages import bytes_of


@dataclass(frozen=True)
class Planner:
    """A model and what was asked of it; `file_bytes` are its weights' where files say them."""

    name: str
    shape: Architecture
    asked: Asked
    catalog: GpuCatalog
    file_bytes: int | None = None

    @cached_property
    def context(self) -> int:
        """The tokens of a request."""
        return self.asked.context or self.shape.context_tokens

    @cached_property
    def weight_factor(self) -> float:
        """How the bytes of the files are to those that the configuration says."""
        return 1.0 if self.file_bytes is None else self.file_bytes / bytes_of(self.shape)

    def reserve(self, tensor_parallel: int) -> Reserve:
        """Returns the estimate of what is needed besides."""
        return reserve_of(
            self.shape,
            gpus=tensor_parallel * self.asked.pipeline_parallel,
            tensor_parallel=tensor_parallel,
            batched_tokens=self.asked.batched_tokens,
            running_requests=self.asked.concurrency,
        )

    def reserve_bytes(self, tensor_parallel: int) -> int:
        """Returns what each GPU keeps free of weights and cache: what was asked, or the estimate."""
        return int(self.asked.reserve_gibibytes * GIB) or self.reserve(tensor_parallel).total

    def why_not(self, tensor_parallel: int) -> str:
        """Returns why the model cannot be divided so; empty where it can."""
        # What is latent is whole on every GPU.
        kv_heads = 1 if self.shape.latent is not None else self.shape.kv_heads
        return why_not(
            self.shape.heads,
            kv_heads,
            len(self.shape.layers),
            tensor_parallel=tensor_parallel,
            pipeline_parallel=self.asked.pipeline_parallel,
        )

    def replica(self, gpu: Gpu, tensor_parallel: int) -> Replica | None:
        """Returns the model on GPUs of a kind; None where it cannot be divided so."""
        if self.why_not(tensor_parallel):
            return None
        asked = self.asked
        return Replica(
            self.shape,
            Gpus(gpu.memory_bytes, asked.gpu_memory_utilization, tensor_parallel, asked.pipeline_parallel),
            asked.cache(self.shape.weight_bytes),
            self.reserve_bytes(tensor_parallel),
            self.weight_factor,
        )

    def _replica_of_choice(self, gpu: Gpu, tensor_parallel: int) -> Replica | None:
        # Without FP8 of the GPU only some backends of attention keep such a cache: whoever names it knows.
        is_kept = gpu.has_fp8 or self.asked.kv_dtype != "fp8"
        return self.replica(gpu, tensor_parallel) if is_kept else None

    def choices(self) -> Sequence[Choice]:
        """Returns of each kind of GPU the fewest that hold the load."""
        return list(
            choices_of(
                self.catalog,
                self._replica_of_choice,
                tokens=self.context,
                requests=self.asked.concurrency,
                bandwidth_share=self.asked.bandwidth_share,
            )
        )


@dataclass(frozen=True)
class ReplicaPlan:
    """What was found: the replica that was asked for, and what else holds the load."""

    planner: Planner
    chosen: Choice
    choices: Sequence[Choice]

    @property
    def fits(self) -> bool:
        """Whether the load has room."""
        return self.chosen.replica.fits(self.planner.context, self.planner.asked.concurrency)

    @property
    def cheapest(self) -> Choice | None:
        """The cheapest that holds the load."""
        return cheapest_of(self.choices)

    @property
    def refusal(self) -> str:
        """One sentence with numbers and what to do next; empty where the load has room."""
        if self.fits:
            return ""
        replica, context, requests = self.chosen.replica, self.planner.context, self.planner.asked.concurrency
        needed = replica.needed_bytes(context, requests) / GIB
        has = replica.gpus.usable_bytes / GIB
        return (
            f"{self.planner.name} does not fit: {requests:,} x {context:,} tokens need {needed:,.1f} GiB of "
            f"a {self.chosen.gpu.name}, of which the engine may use {has:,.1f}. "
            f"{self._smaller()}{self._larger()}"
        )

    def _smaller(self) -> str:
        replica, context, requests = self.chosen.replica, self.planner.context, self.planner.asked.concurrency
        longest, most = replica.longest_context(requests), replica.most_requests(context)
        ways = [f"--context {longest}" if longest else "", f"--concurrency {most}" if most else ""]
        said = " or ".join(way for way in ways if way)
        if not said:
            alone = replica.longest_context(1)
            said = f"--concurrency 1 --context {alone}" if alone else ""
        return f"Here {said} fits. " if said else "Not even its weights leave room for one request. "

    def _larger(self) -> str:
        own = next((one for one in self.choices if one.gpu.name == self.chosen.gpu.name), None)
        ways = [f"--tensor-parallel {own.replica.gpus.tensor_parallel}"] if own is not None else []
        other = self.cheapest
        if other is not None and other is not own:
            gpus = other.replica.gpus.tensor_parallel
            ways.append(f"--gpu {other.gpu.name}" + (f" --tensor-parallel {gpus}" if gpus > 1 else ""))
        if not ways:
            return self._none()
        return f"The load fits with {' or '.join(ways)}."

    def _none(self) -> str:
        """Says what to do where nothing holds it: a cache in FP8, where that is none yet and would help."""
        asked = self.planner.asked
        smaller = replace(self.planner, asked=asked.model_copy(update={"kv_dtype": "fp8"}))
        found = None if asked.kv_dtype == "fp8" else cheapest_of(smaller.choices())
        if found is not None:
            gpus = found.replica.gpus.tensor_parallel
            return f"Eight of no GPU here hold it, but {gpus} x {found.gpu.name} do with --kv-dtype fp8."
        return (
            "Eight of no GPU of the catalog hold it: ask fewer tokens, or share the requests among replicas."
        )


def plan_on(planner: Planner, gpu: Gpu) -> ReplicaPlan:
    """Returns the plan on a kind of GPU; ValueError where the model cannot be divided as it was asked."""
    ranks = planner.asked.tensor_parallel
    replica = planner.replica(gpu, ranks)
    if replica is None:
        raise ValueError(planner.why_not(ranks))
    chosen = choice_of(
        replica,
        gpu,
        planner.catalog,
        tokens=planner.context,
        requests=planner.asked.concurrency,
        bandwidth_share=planner.asked.bandwidth_share,
    )
    return ReplicaPlan(planner, chosen, planner.choices())


def plan_on_cheapest(planner: Planner) -> ReplicaPlan:
    """Returns the plan on the cheapest GPUs that hold the load; ValueError where none do."""
    choices = planner.choices()
    chosen = cheapest_of(choices)
    if chosen is None:
        raise ValueError(
            f"no GPU of the catalog holds {planner.asked.concurrency:,} x {planner.context:,} tokens of "
            f"{planner.name}, eight of a kind included: name one with --gpu to see what it holds"
        )
    return ReplicaPlan(planner, chosen, choices)
