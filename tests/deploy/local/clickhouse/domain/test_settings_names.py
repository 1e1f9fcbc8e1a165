import pytest

from deploy.local.clickhouse.domain.settings_names import is_allowed_setting


@pytest.mark.parametrize(
    "name",
    ["max_threads", "insert_deduplication_token", "output_format_json_quote_64bit_integers", "async_insert"],
)
def test_what_shapes_a_query_can_be_given(name: str) -> None:
    assert is_allowed_setting(name, is_writer=False)


@pytest.mark.parametrize(
    "name",
    [
        "dialect",
        "additional_table_filters",
        "format_template_row",
        "format_avro_schema_registry_url",
        "input_format_record_errors_file_path",
        "input_format_values_interpret_expressions",
        "allow_introspection_functions",
        "s3_base",
        "max_memory_usage_for_user",
        "max_network_bandwidth_for_all_users",
        "a_setting_of_a_later_engine",
    ],
)
@pytest.mark.parametrize("is_writer", [False, True])
def test_what_reads_writes_calls_or_evaluates_cannot(name: str, *, is_writer: bool) -> None:
    assert not is_allowed_setting(name, is_writer=is_writer)
