-- How fast answers come by class, and what is late at a steady rate. Every column of a view says what it is.

-- One row: what the operator promises. The pipeline replaces it whole at start.
CREATE TABLE IF NOT EXISTS ${database}.catalog_targets (ttft_p95_seconds Float64)
ENGINE = ${engine}
ORDER BY ttft_p95_seconds;

-- Every ended generation with names and seconds, to be grouped as one likes.
CREATE OR REPLACE VIEW ${database}.measured_generations
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    replica UInt32 COMMENT 'number of the replica',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    tenant String COMMENT 'pseudonym of the tenant under the secret of the epoch, 32 hexadecimal digits',
    key_epoch UInt16 COMMENT 'number of the secret that made the pseudonym',
    started_at DateTime64(6, 'UTC') COMMENT 'when the replica received the request',
    outcome String COMMENT 'how it ended',
    reason String COMMENT 'why it failed; none where it did not',
    is_whole UInt8 COMMENT '1 where it ended by itself: stop, length, tool_calls',
    input_tokens UInt32 COMMENT 'tokens of the rendered prompt, cached ones included',
    cached_input_tokens UInt32 COMMENT 'input tokens that the prefix cache held',
    output_tokens UInt32 COMMENT 'tokens generated, whether or not the caller got them',
    computed_tokens UInt64 COMMENT 'input tokens that were not cached, and output tokens: what costs are shared by',
    queue_seconds Float64 COMMENT 'wait before the engine scheduled it',
    ttft_seconds Nullable(Float64) COMMENT 'received to the first output token; NULL where there was none',
    tpot_seconds Nullable(Float64) COMMENT 'mean time between output tokens after the first, of the longest choice; NULL without two',
    e2e_seconds Float64 COMMENT 'received to the last output token, or to the end'
)
AS SELECT
    if(regions.name = '', toString(ended.region), regions.name) AS region,
    if(models.name = '', toString(ended.model), models.name) AS model,
    ended.replica AS replica,
    transform(ended.priority, [0, 10, 20], ['interactive', 'default', 'batch'], toString(ended.priority)) AS priority,
    lower(concat(leftPad(hex(ended.tenant_high), 16, '0'), leftPad(hex(ended.tenant_low), 16, '0'))) AS tenant,
    ended.key_epoch AS key_epoch,
    ended.started_at AS started_at,
    toString(ended.outcome) AS outcome,
    toString(ended.reason) AS reason,
    ended.outcome IN ('stop', 'length', 'tool_calls') AS is_whole,
    ended.input_tokens AS input_tokens,
    ended.cached_input_tokens AS cached_input_tokens,
    ended.output_tokens AS output_tokens,
    toUInt64(greatest(0, toInt64(ended.input_tokens) - ended.cached_input_tokens)) + ended.output_tokens AS computed_tokens,
    ended.queue_microseconds / 1e6 AS queue_seconds,
    if(ended.ttft_microseconds > 0, ended.ttft_microseconds / 1e6, NULL) AS ttft_seconds,
    if(
        if(ended.longest_choice_tokens > 0, ended.longest_choice_tokens, ended.output_tokens) > 1
            AND ended.duration_microseconds > ended.ttft_microseconds,
        (ended.duration_microseconds - ended.ttft_microseconds) / 1e6
            / (if(ended.longest_choice_tokens > 0, ended.longest_choice_tokens, ended.output_tokens) - 1),
        NULL
    ) AS tpot_seconds,
    ended.duration_microseconds / 1e6 AS e2e_seconds
FROM
(
    SELECT *, started_at
    FROM ${database}.generations
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
) AS ended
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = ended.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = ended.model;

-- How fast answers come, per region, model, class and minute; of generations that ended by themselves.
CREATE OR REPLACE VIEW ${database}.latency_by_minute
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    minute DateTime('UTC') COMMENT 'the minute in which the replica received the requests',
    requests UInt64 COMMENT 'requests that ended by themselves',
    ttft_p50_seconds Nullable(Float64) COMMENT 'time to first token, median; NULL where no request had one',
    ttft_p95_seconds Nullable(Float64) COMMENT 'time to first token, 95th percentile; NULL where no request had one',
    ttft_p99_seconds Nullable(Float64) COMMENT 'time to first token, 99th percentile; NULL where no request had one',
    tpot_p50_seconds Nullable(Float64) COMMENT 'time per output token after the first, median',
    tpot_p95_seconds Nullable(Float64) COMMENT 'time per output token after the first, 95th percentile',
    tpot_p99_seconds Nullable(Float64) COMMENT 'time per output token after the first, 99th percentile',
    tps_per_request_p50 Nullable(Float64) COMMENT 'output tokens per second of a request after its first, median',
    tps_per_request_p95 Nullable(Float64) COMMENT 'output tokens per second of a request after its first, 95th percentile',
    e2e_p95_seconds Nullable(Float64) COMMENT 'received to the last token, 95th percentile',
    input_tokens UInt64 COMMENT 'tokens of prompts, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'tokens generated'
)
AS SELECT
    region,
    model,
    priority,
    minute,
    requests,
    ttft[1] AS ttft_p50_seconds,
    ttft[2] AS ttft_p95_seconds,
    ttft[3] AS ttft_p99_seconds,
    tpot[1] AS tpot_p50_seconds,
    tpot[2] AS tpot_p95_seconds,
    tpot[3] AS tpot_p99_seconds,
    tps[1] AS tps_per_request_p50,
    tps[2] AS tps_per_request_p95,
    e2e[1] AS e2e_p95_seconds,
    sum_input_tokens AS input_tokens,
    sum_cached_input_tokens AS cached_input_tokens,
    sum_output_tokens AS output_tokens
FROM
(
    SELECT
        region,
        model,
        priority,
        toStartOfMinute(started_at) AS minute,
        count() AS requests,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95, 0.99)(assumeNotNull(ttft_seconds), ttft_seconds IS NOT NULL)) AS ttft,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95, 0.99)(assumeNotNull(tpot_seconds), tpot_seconds IS NOT NULL)) AS tpot,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95)(1 / assumeNotNull(tpot_seconds), tpot_seconds IS NOT NULL)) AS tps,
        quantilesTDigest(0.95)(e2e_seconds) AS e2e,
        sum(input_tokens) AS sum_input_tokens,
        sum(cached_input_tokens) AS sum_cached_input_tokens,
        sum(output_tokens) AS sum_output_tokens
    FROM ${database}.measured_generations
    WHERE is_whole
    GROUP BY region, model, priority, minute
)
ORDER BY region, model, minute, priority;

-- The same by the hour. It had a row for all classes together.
CREATE OR REPLACE VIEW ${database}.latency_by_hour
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    hour DateTime('UTC') COMMENT 'the hour in which the replica received the requests',
    requests UInt64 COMMENT 'requests that ended by themselves',
    ttft_p50_seconds Nullable(Float64) COMMENT 'time to first token, median; NULL where no request had one',
    ttft_p95_seconds Nullable(Float64) COMMENT 'time to first token, 95th percentile; NULL where no request had one',
    ttft_p99_seconds Nullable(Float64) COMMENT 'time to first token, 99th percentile; NULL where no request had one',
    tpot_p50_seconds Nullable(Float64) COMMENT 'time per output token after the first, median',
    tpot_p95_seconds Nullable(Float64) COMMENT 'time per output token after the first, 95th percentile',
    tpot_p99_seconds Nullable(Float64) COMMENT 'time per output token after the first, 99th percentile',
    tps_per_request_p50 Nullable(Float64) COMMENT 'output tokens per second of a request after its first, median',
    tps_per_request_p95 Nullable(Float64) COMMENT 'output tokens per second of a request after its first, 95th percentile',
    e2e_p95_seconds Nullable(Float64) COMMENT 'received to the last token, 95th percentile',
    input_tokens UInt64 COMMENT 'tokens of prompts, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'tokens generated'
)
AS SELECT
    region,
    model,
    priority,
    hour,
    requests,
    ttft[1] AS ttft_p50_seconds,
    ttft[2] AS ttft_p95_seconds,
    ttft[3] AS ttft_p99_seconds,
    tpot[1] AS tpot_p50_seconds,
    tpot[2] AS tpot_p95_seconds,
    tpot[3] AS tpot_p99_seconds,
    tps[1] AS tps_per_request_p50,
    tps[2] AS tps_per_request_p95,
    e2e[1] AS e2e_p95_seconds,
    sum_input_tokens AS input_tokens,
    sum_cached_input_tokens AS cached_input_tokens,
    sum_output_tokens AS output_tokens
FROM
(
    SELECT
        region,
        model,
        priority,
        toStartOfHour(started_at) AS hour,
        count() AS requests,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95, 0.99)(assumeNotNull(ttft_seconds), ttft_seconds IS NOT NULL)) AS ttft,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95, 0.99)(assumeNotNull(tpot_seconds), tpot_seconds IS NOT NULL)) AS tpot,
        arrayMap(one -> if(isNaN(one), NULL, one), quantilesTDigestIf(0.5, 0.95)(1 / assumeNotNull(tpot_seconds), tpot_seconds IS NOT NULL)) AS tps,
        quantilesTDigest(0.95)(e2e_seconds) AS e2e,
        sum(input_tokens) AS sum_input_tokens,
        sum(cached_input_tokens) AS sum_cached_input_tokens,
        sum(output_tokens) AS sum_output_tokens
    FROM ${database}.measured_generations
    WHERE is_whole
    GROUP BY region, model, priority, hour
)
ORDER BY region, model, hour, priority;

-- How often first tokens were late, where the load itself did not change. A window is five minutes of one region, model
-- and class. It is steady where it has at least 20 first tokens, requests came in the window before it too, and their
-- two numbers n and m differ by at most the larger of a quarter of m and 2 * sqrt(n + m), which chance alone exceeds
-- once in twenty times at one rate. Requests are all that were received, whatever became of them.
CREATE OR REPLACE VIEW ${database}.slo_ttft
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    day Date COMMENT 'UTC day of the windows',
    windows UInt64 COMMENT 'windows of five minutes in which requests came',
    steady_windows UInt64 COMMENT 'of them those at a steady request rate: at least 20 first tokens, and requests within the larger of a quarter and 2 * sqrt(n + m) of those of the window before',
    steady_windows_over_target UInt64 COMMENT 'of these those whose p95 of the time to first token is above the target',
    share_over_target Nullable(Float64) COMMENT 'steady windows over target by steady windows; NULL without a steady one',
    target_seconds Float64 COMMENT 'the target: usage.ttft_p95_target_seconds'
)
AS SELECT
    region,
    model,
    priority,
    toDate(window) AS day,
    count() AS windows,
    countIf(is_steady) AS steady_windows,
    countIf(is_steady AND p95 > target) AS steady_windows_over_target,
    if(steady_windows = 0, NULL, steady_windows_over_target / steady_windows) AS share_over_target,
    any(target) AS target_seconds
FROM
(
    SELECT
        *,
        (SELECT max(ttft_p95_seconds) FROM ${database}.catalog_targets) AS target,
        first_tokens >= 20
            AND before_window = window - toIntervalMinute(5)
            AND abs(toInt64(requests) - toInt64(before)) <= greatest(before / 4, 2 * sqrt(requests + before)) AS is_steady
    FROM
    (
        SELECT
            *,
            lagInFrame(requests) OVER line AS before,
            lagInFrame(window) OVER line AS before_window
        FROM
        (
            SELECT
                region,
                model,
                priority,
                toStartOfFiveMinutes(started_at) AS window,
                count() AS requests,
                countIf(ttft_seconds IS NOT NULL) AS first_tokens,
                quantileTDigestIf(0.95)(assumeNotNull(ttft_seconds), ttft_seconds IS NOT NULL) AS p95
            FROM ${database}.measured_generations
            GROUP BY region, model, priority, window
        )
        WINDOW line AS (
            PARTITION BY region, model, priority ORDER BY window ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
        )
    )
)
GROUP BY region, model, priority, day
ORDER BY region, model, day, priority;
