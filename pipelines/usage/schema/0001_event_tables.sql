-- The event tables. Each has the columns of its message in comptoir/usage/v1/usage.proto, by name, and two
-- that the store fills in: started_at, which decides partition and TTL, and ingested_at. No column is a String.
-- All rows of a day expire at one moment, the day's beginning plus the retention, and parts are dropped whole.
-- Insert tokens are remembered for as many inserts as the deduplication window says: a frame that comes again
-- is taken once. On a cluster ${engine} is ReplicatedMergeTree and the window is the replicated one.

-- One decision of the router per row.
CREATE TABLE IF NOT EXISTS ${database}.admissions
(
    event_id_high UInt64,
    event_id_low UInt64,
    schema_version UInt16,
    producer_id UInt64,
    producer_sequence UInt64,
    request_id_high UInt64,
    request_id_low UInt64,
    region UInt16,
    home_region UInt16,
    transfer_record UInt32,
    config_digest UInt64,
    tenant_high UInt64,
    tenant_low UInt64,
    key_high UInt64,
    key_low UInt64,
    key_epoch UInt16,
    started_at_microseconds UInt64,
    decision Enum8('admitted' = 1, 'refused' = 2),
    reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30
    ),
    model UInt32,
    replica UInt32,
    priority UInt8,
    reserved_tokens UInt32,
    max_output_tokens UInt32,
    predicted_kv_blocks UInt32,
    tickets UInt8,
    duration_microseconds UInt64,
    started_at DateTime64(6, 'UTC') MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC'),
    ingested_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC'),
    CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0
)
ENGINE = ${engine}
PARTITION BY toDate(started_at)
ORDER BY (region, model, started_at)
TTL toStartOfDay(started_at) + toIntervalDay(${retention_days})
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, fsync_after_insert = 1, ${deduplication_window};

-- One ended generation per row.
CREATE TABLE IF NOT EXISTS ${database}.generations
(
    event_id_high UInt64,
    event_id_low UInt64,
    schema_version UInt16,
    producer_id UInt64,
    producer_sequence UInt64,
    request_id_high UInt64,
    request_id_low UInt64,
    region UInt16,
    home_region UInt16,
    transfer_record UInt32,
    config_digest UInt64,
    tenant_high UInt64,
    tenant_low UInt64,
    key_high UInt64,
    key_low UInt64,
    key_epoch UInt16,
    started_at_microseconds UInt64,
    outcome Enum8('stop' = 1, 'length' = 2, 'tool_calls' = 3, 'client_cancelled' = 4, 'deadline' = 5, 'shed' = 6, 'preempted' = 7, 'engine_failed' = 8, 'refused' = 9),
    reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30
    ),
    model UInt32,
    replica UInt32,
    priority UInt8,
    ticket_digest UInt64,
    attempt UInt8,
    is_streamed Bool,
    input_tokens UInt32,
    cached_input_tokens UInt32,
    output_tokens UInt32,
    predicted_kv_blocks UInt32,
    actual_kv_blocks UInt32,
    queue_microseconds UInt64,
    prefill_microseconds UInt64,
    ttft_microseconds UInt64,
    max_itl_microseconds UInt64,
    duration_microseconds UInt64,
    started_at DateTime64(6, 'UTC') MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC'),
    ingested_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC'),
    CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0
)
ENGINE = ${engine}
PARTITION BY toDate(started_at)
ORDER BY (region, model, started_at)
TTL toStartOfDay(started_at) + toIntervalDay(${retention_days})
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, fsync_after_insert = 1, ${deduplication_window};

-- One ended HTTP request per row.
CREATE TABLE IF NOT EXISTS ${database}.edge_requests
(
    event_id_high UInt64,
    event_id_low UInt64,
    schema_version UInt16,
    producer_id UInt64,
    producer_sequence UInt64,
    request_id_high UInt64,
    request_id_low UInt64,
    region UInt16,
    home_region UInt16,
    transfer_record UInt32,
    config_digest UInt64,
    tenant_high UInt64,
    tenant_low UInt64,
    key_high UInt64,
    key_low UInt64,
    key_epoch UInt16,
    started_at_microseconds UInt64,
    endpoint Enum8('other' = 0, 'chat_completions' = 1, 'models' = 2),
    reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30
    ),
    model UInt32,
    http_status UInt16,
    is_streamed Bool,
    is_client_cancelled Bool,
    request_bytes UInt64,
    response_bytes UInt64,
    client_retry_count UInt8,
    admitted_microseconds UInt64,
    first_byte_microseconds UInt64,
    duration_microseconds UInt64,
    started_at DateTime64(6, 'UTC') MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC'),
    ingested_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC'),
    CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0
)
ENGINE = ${engine}
PARTITION BY toDate(started_at)
ORDER BY (region, started_at)
TTL toStartOfDay(started_at) + toIntervalDay(${retention_days})
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, fsync_after_insert = 1, ${deduplication_window};

-- One load sample of one replica per row.
CREATE TABLE IF NOT EXISTS ${database}.replica_load
(
    event_id_high UInt64,
    event_id_low UInt64,
    schema_version UInt16,
    producer_id UInt64,
    producer_sequence UInt64,
    request_id_high UInt64,
    request_id_low UInt64,
    region UInt16,
    home_region UInt16,
    transfer_record UInt32,
    config_digest UInt64,
    tenant_high UInt64,
    tenant_low UInt64,
    key_high UInt64,
    key_low UInt64,
    key_epoch UInt16,
    started_at_microseconds UInt64,
    model UInt32,
    replica UInt32,
    running_requests UInt32,
    waiting_requests UInt32,
    kv_usage_permille UInt16,
    output_tokens UInt64,
    preempted_requests UInt32,
    open_streams UInt32,
    unfinished_requests UInt32,
    accelerator_free_bytes UInt64,
    age_milliseconds UInt32,
    started_at DateTime64(6, 'UTC') MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC'),
    ingested_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC'),
    CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0
)
ENGINE = ${engine}
PARTITION BY toDate(started_at)
ORDER BY (region, model, replica, started_at)
TTL toStartOfDay(started_at) + toIntervalDay(${retention_days})
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, fsync_after_insert = 1, ${deduplication_window};
