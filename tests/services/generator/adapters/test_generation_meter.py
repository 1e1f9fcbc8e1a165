"""A generator's metrics, as Prometheus reads them from a process of its own."""

import json
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from services.generator.adapters.generation_meter import VLLM_NAMES

_PROGRAM = """
import httpx
from services.generator.adapters.generation_meter import VLLM_NAMES, GenerationMeter
from services.generator.domain.terminal_event import Counts, Ending, Outcome, TerminalEvent
from services.generator.domain.ports import EngineLoad
from services.generator.domain.timeline import Timings
from services.runtime import telemetry
from services.runtime.settings import MeteredSettings

class Engine:
    def load(self):
        return EngineLoad(3, 2, 0.25, 0.5, 40, 6)

def ended(outcome, counts, timings):
    event = TerminalEvent.__new__(TerminalEvent)
    for name, value in (("ending", Ending(outcome)), ("counts", counts), ("timings", timings)):
        object.__setattr__(event, name, value)
    meter.ended(event)

catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [
    {"number": 1, "name": "tiny-eu", "context_tokens": 8, "max_output_tokens": 8}
]}
settings = MeteredSettings.model_validate(
    {"region": "eu-fr", "catalog": catalog, "metrics_listen": {"port": 0}}
)
kept = telemetry.configure(settings, "generator", aliases=VLLM_NAMES)
meter = GenerationMeter(Engine(), "tiny-eu")
eight_choices = Counts(10, 4, 40, longest_choice_tokens=5)
ended(Outcome.STOP, eight_choices, Timings(1_000, 20_000, 30_000, 9_000, 70_000))
ended(Outcome.CLIENT_CANCELLED, Counts(7, 0, 0), Timings(0, 0, 0, 0, 3_000_000))
kept.show()
print(httpx.get(f"http://127.0.0.1:{kept._endpoint.port}/metrics", trust_env=False).text)
kept.shutdown()
"""


def test_generations_and_engine_stand_under_conventional_names_and_under_vllm_s() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, timeout=120, capture_output=True, text=True
    )
    families = {family.name: family for family in text_string_to_metric_families(done.stdout)}
    values = {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert set(VLLM_NAMES.names) | set(VLLM_NAMES.names.values()) <= set(families)
    common = '{"gen_ai_operation_name": "chat", "gen_ai_provider_name": "comptoir", '
    model = common + '"model_name": "tiny-eu"}'
    assert values["vllm:num_requests_running" + model] == 3
    assert values["vllm:num_requests_waiting" + model] == 2
    assert values["vllm:kv_cache_usage_perc" + model] == 0.25
    assert values["vllm:num_preemptions_total" + model] == 6
    assert values["vllm:prompt_tokens_total" + model] == 17
    assert values["vllm:generation_tokens_total" + model] == 40
    assert values["vllm:time_to_first_token_seconds_count" + model] == 1
    assert values["vllm:request_time_per_output_token_seconds_sum" + model] == 0.01
    labels = common + '"gen_ai_request_model": "tiny-eu", "outcome": '
    assert values["gen_ai_server_request_duration_seconds_sum" + labels + '"stop"}'] == 0.07
    assert values["gen_ai_server_request_duration_seconds_sum" + labels + '"client_cancelled"}'] == 3
