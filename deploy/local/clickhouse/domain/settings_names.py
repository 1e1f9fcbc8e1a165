"""Which settings a client may give, and which are taken without effect; every other one is refused."""

from typing import Final

# Families that only shape performance, limits, types and output. The profile bounds the limits.
_ALLOWED_PREFIXES: Final = (
    "aggregat",
    "any_join_",
    "cast_",
    "count_",
    "date_time_",
    "describe_",
    "distinct_",
    "enable_",
    "except_",
    "extremes",
    "final",
    "group_by_",
    "input_format_",
    "insert_",
    "intersect_",
    "join_",
    "limit",
    "max_",
    "min_",
    "mutations_sync",
    "number_of_mutations_",
    "optimize_",
    "output_format_",
    "priority",
    "query_plan_",
    "read_",
    "result_overflow_mode",
    "session_timezone",
    "set_overflow_mode",
    "short_circuit_",
    "sort_",
    "timeout_",
    "totals_",
    "transform_null_in",
    "union_default_mode",
    "use_",
)
_ALLOWED: Final = frozenset(
    {
        "allow_ddl",
        "allow_experimental_analyzer",
        "allow_nondeterministic_mutations",
        "allow_suspicious_low_cardinality_types",
        "apply_deleted_mask",
        "apply_mutations_on_fly",
        "async_insert",
        "cancel_http_readonly_queries_on_client_close",
        "deduplicate_blocks_in_dependent_materialized_views",
        "deduplicate_insert",
        "empty_result_for_aggregation_by_empty_set",
        "format_csv_delimiter",
        "format_csv_null_representation",
        "format_tsv_null_representation",
        "alter_sync",
        "lightweight_deletes_sync",
        "lightweight_delete_mode",
        "materialize_ttl_after_modify",
        "offset",
        "prefer_column_name_to_alias",
        "wait_for_async_insert",
    }
)
# What drivers and BI tools send to every server: about other machines, logs, time-outs of connections and
# versions, of which there are none here. They change no result and are not given to the engine.
_IGNORED: Final = frozenset(
    {
        "allow_experimental_parallel_reading_from_replicas",
        "allow_suspicious_types_in_group_by",
        "allow_suspicious_types_in_order_by",
        "any_join_distinct_right_table_keys",
        "compatibility",
        "connect_timeout",
        "connect_timeout_with_failover_ms",
        "connect_timeout_with_failover_secure_ms",
        "idle_connection_timeout",
        "interactive_delay",
        "keep_alive_timeout",
        "load_balancing",
        "log_comment",
        "log_profile_events",
        "log_queries_min_query_duration_ms",
        "log_queries_min_type",
        "log_query_settings",
        "log_query_threads",
        "log_query_views",
        "network_compression_method",
        "network_zstd_compression_level",
        "opentelemetry_start_trace_probability",
        "parallel_replicas_for_non_replicated_merge_tree",
        "poll_interval",
        "prefer_localhost_replica",
        "receive_timeout",
        "send_logs_level",
        "send_logs_source_regexp",
        "send_progress_in_http_headers",
        "send_timeout",
        "skip_unavailable_shards",
        "sleep_after_receiving_query_ms",
        "tcp_keep_alive_timeout",
        "use_client_time_zone",
        "workload",
    }
)
_IGNORED_PREFIXES: Final = (
    "distributed_",
    "http_",
    "parallel_replicas",
    "async_query_sending",
    "send_profile",
)
# In an allowed family, but able to name a file, an address, a schema or an expression.
_REFUSED: Final = frozenset(
    {
        "count_distinct_implementation",
        "input_format_record_errors_file_path",
        "input_format_values_deduce_templates_of_expressions",
        "input_format_values_interpret_expressions",
        "output_format_schema",
        "use_structure_from_insertion_table_in_table_functions",
    }
)
# "_for_user" and "_for_all_users" are limits of all together, the writer too: the engine knows one user.
_REFUSED_PARTS: Final = (
    "_for_user",
    "_for_all_users",
    "_path",
    "_url",
    "_file",
    "filesystem",
    "credential",
    "profiler",
    "dialect",
)
# The schema of Protobuf data is the pipeline's to give, as text; `format_schema_source` stays at string.
_WRITER_ONLY: Final = frozenset({"format_schema", "format_schema_message_name", "format_schema_source"})


def is_allowed_setting(name: str, *, is_writer: bool) -> bool:
    """Returns whether a client may give the engine setting `name`."""
    if name in _WRITER_ONLY:
        return is_writer
    if name in _REFUSED or any(part in name for part in _REFUSED_PARTS):
        return False
    return name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)


def is_ignored_setting(name: str) -> bool:
    """Returns whether the setting `name` is accepted and has no effect here."""
    return name in _IGNORED or name.startswith(_IGNORED_PREFIXES)
