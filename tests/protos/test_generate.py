import subprocess
import sys

# Each in a process of its own: what is loaded once stays loaded.
SECONDS = 60


def printed(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    return done.stdout.strip()


def test_stubs_load_nothing_that_defines_rules_so_that_any_version_of_it_fits_beside_them() -> None:
    program = (
        "import sys; from google.protobuf import descriptor_pool; "
        "from comptoir.generator.v1 import generator_pb2; from comptoir.router.v1 import admin_pb2; "
        "imports = {file.name for module in (generator_pb2, admin_pb2) "
        "for file in module.DESCRIPTOR.dependencies}; "
        "print('buf' in sys.modules, sorted(imports))"
    )
    imports = ["error/v1/error_reason", "router/v1/router", "ticket/v1/ticket"]
    assert printed(program) == f"False {[f'comptoir/{name}.proto' for name in imports]}"


def test_servers_still_hold_requests_against_the_rules_of_the_schema() -> None:
    program = (
        "import protovalidate; from comptoir.router.v1 import router_pb2; "
        "request = router_pb2.AdmitRequest(priority=77); "
        "found = protovalidate.collect_violations(request); "
        "print([violation.proto.field.elements[0].field_name for violation in found])"
    )
    assert printed(program) == "['prompt_tokens_upper_bound', 'priority']"


def test_bounds_of_events_are_those_of_the_schema_whoever_looked_at_it_first() -> None:
    program = (
        "from comptoir.usage.v1 import usage_pb2; "
        "[field.GetOptions() for field in usage_pb2.Generation.DESCRIPTOR.fields]; "
        "from pipelines.usage import wire; from pipelines.usage.domain.frame import Kind; "
        "bounds = wire.BOUNDS[Kind.GENERATION]['schema_version']; print(bounds.minimum, bounds.maximum)"
    )
    assert printed(program) == "1 65535"
