-- How full replicas are, what went wrong, and who used how much.

-- Queue, cache and memory of each replica, per minute, from its samples of every ten seconds.
CREATE OR REPLACE VIEW ${database}.queue_and_headroom
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    replica UInt32 COMMENT 'number of the replica',
    minute DateTime('UTC') COMMENT 'minute of the samples',
    samples UInt64 COMMENT 'samples in it',
    waiting_requests_max UInt32 COMMENT 'most requests that waited in the engine',
    waiting_requests_avg Float64 COMMENT 'mean of the requests that waited in the engine',
    running_requests_max UInt32 COMMENT 'most requests in the running batch',
    running_requests_avg Float64 COMMENT 'mean of the requests in the running batch',
    kv_usage_max Float64 COMMENT 'largest share of the KV-cache blocks that were in use, 0 to 1',
    kv_usage_avg Float64 COMMENT 'mean share of the KV-cache blocks that were in use',
    accelerator_free_bytes_min Nullable(UInt64) COMMENT 'least free memory of the accelerators; NULL where none tells',
    preempted_requests UInt64 COMMENT 'requests that the engine preempted',
    output_tokens UInt64 COMMENT 'tokens generated',
    age_seconds_max Float64 COMMENT 'oldest age of the numbers of the engine: a large one is a hang'
)
AS SELECT
    if(regions.name = '', toString(seen.region), regions.name) AS region,
    if(models.name = '', toString(seen.model), models.name) AS model,
    seen.replica AS replica,
    seen.minute AS minute,
    seen.samples AS samples,
    seen.waiting_max AS waiting_requests_max,
    seen.waiting_avg AS waiting_requests_avg,
    seen.running_max AS running_requests_max,
    seen.running_avg AS running_requests_avg,
    seen.kv_max / 1000 AS kv_usage_max,
    seen.kv_avg / 1000 AS kv_usage_avg,
    if(seen.tells = 0, NULL, seen.free_min) AS accelerator_free_bytes_min,
    seen.preempted AS preempted_requests,
    seen.generated AS output_tokens,
    seen.age_max / 1000 AS age_seconds_max
FROM
(
    SELECT
        region,
        model,
        replica,
        toStartOfMinute(started_at) AS minute,
        count() AS samples,
        max(waiting_requests) AS waiting_max,
        avg(waiting_requests) AS waiting_avg,
        max(running_requests) AS running_max,
        avg(running_requests) AS running_avg,
        max(kv_usage_permille) AS kv_max,
        avg(kv_usage_permille) AS kv_avg,
        countIf(accelerator_free_bytes > 0) AS tells,
        minIf(accelerator_free_bytes, accelerator_free_bytes > 0) AS free_min,
        sum(preempted_requests) AS preempted,
        sum(output_tokens) AS generated,
        max(age_milliseconds) AS age_max
    FROM ${database}.replica_load
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, replica, minute
) AS seen
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = seen.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = seen.model
ORDER BY region, model, replica, minute;

-- What went wrong, each part in its own words: a request that a replica failed is an error of the edge too, so numbers
-- of several parts are not added.
CREATE OR REPLACE VIEW ${database}.errors_by_reason
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number; 0 where it was not known',
    hour DateTime('UTC') COMMENT 'hour in which the request came',
    told_by String COMMENT 'router: it did not admit; generator: it did not end by itself; edge: what HTTP callers saw',
    reason String COMMENT 'the reason, as errors.md explains it, or how the generation ended where it has none',
    outcome String COMMENT 'how the generation ended; empty from router and edge',
    http_status UInt16 COMMENT 'what the edge sent; 0 from router and generator',
    requests UInt64 COMMENT 'how many; rows that stand for several count as many'
)
AS SELECT
    if(regions.name = '', toString(failed.region), regions.name) AS region,
    if(models.name = '', toString(failed.model), models.name) AS model,
    failed.hour AS hour,
    failed.told_by AS told_by,
    failed.reason AS reason,
    failed.outcome AS outcome,
    failed.http_status AS http_status,
    failed.requests AS requests
FROM
(
    SELECT
        region, model, toStartOfHour(started_at) AS hour, 'router' AS told_by,
        toString(admissions.reason) AS reason, '' AS outcome, toUInt16(0) AS http_status, sum(greatest(admissions.requests, 1)) AS requests
    FROM ${database}.admissions
    WHERE decision = 'refused' AND toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, hour, admissions.reason
    UNION ALL
    SELECT
        region, model, toStartOfHour(started_at) AS hour, 'generator',
        if(generations.reason = 'none', toString(generations.outcome), toString(generations.reason)), toString(generations.outcome), toUInt16(0), count()
    FROM ${database}.generations
    WHERE outcome NOT IN ('stop', 'length', 'tool_calls') AND toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, hour, generations.reason, generations.outcome
    UNION ALL
    SELECT
        region, model, toStartOfHour(started_at) AS hour, 'edge',
        toString(edge_requests.reason), '', http_status, sum(greatest(edge_requests.requests, 1))
    FROM ${database}.edge_requests
    WHERE edge_requests.reason != 'none' AND toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, hour, edge_requests.reason, http_status
) AS failed
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = failed.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = failed.model
ORDER BY hour, region, model, told_by, requests DESC;

-- Who used how much in a day, every ending included, and how much of it was no whole answer.
CREATE OR REPLACE VIEW ${database}.usage_by_tenant_day
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    day Date COMMENT 'UTC day',
    tenant String COMMENT 'pseudonym of the tenant under the secret of the epoch, 32 hexadecimal digits',
    key_epoch UInt16 COMMENT 'number of the secret that made the pseudonym',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    requests UInt64 COMMENT 'generations, every ending included',
    cancelled_requests UInt64 COMMENT 'of them those that did not end by themselves',
    input_tokens UInt64 COMMENT 'tokens of prompts, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'tokens generated',
    cancelled_tokens UInt64 COMMENT 'input and output tokens of requests that did not end by themselves; in the others too'
)
AS SELECT
    region,
    model,
    toDate(started_at) AS day,
    tenant,
    key_epoch,
    priority,
    count() AS requests,
    countIf(NOT is_whole) AS cancelled_requests,
    sum(used.input_tokens) AS input_tokens,
    sum(used.cached_input_tokens) AS cached_input_tokens,
    sum(used.output_tokens) AS output_tokens,
    sumIf(used.input_tokens + used.output_tokens, NOT is_whole) AS cancelled_tokens
FROM ${database}.measured_generations AS used
GROUP BY region, model, day, tenant, key_epoch, priority
ORDER BY region, model, day, tenant, key_epoch, priority;
