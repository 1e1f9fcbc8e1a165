-- What tokens and tenants cost.

-- What a million tokens cost: what the accelerators cost in the hour, idle time included, by the tokens of the requests
-- that ended by themselves. Busy time is shared among requests by the tokens that were computed for them: output, and
-- input that was not cached. A batch request saves what its GPU seconds would have cost more at the dearest class on
-- which the model served other requests in that hour; without such, the dearest that it had.
CREATE OR REPLACE VIEW ${database}.cost_per_million_tokens
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    gpu_class UInt16 COMMENT 'class of the accelerators; 0 where replicas say none',
    gpu String COMMENT 'its name, or its number',
    hour DateTime('UTC') COMMENT 'the hour',
    currency String COMMENT 'three letters of ISO 4217; empty without a price',
    replica_seconds Float64 COMMENT 'how long replicas were there',
    busy_seconds Float64 COMMENT 'of that with at least one request',
    gpu_seconds Float64 COMMENT 'seconds times accelerators',
    unpriced_gpu_seconds Float64 COMMENT 'of these without a price in the list',
    requests UInt64 COMMENT 'requests that began in the hour, every ending included',
    input_tokens UInt64 COMMENT 'of requests that ended by themselves, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'of requests that ended by themselves',
    cancelled_tokens UInt64 COMMENT 'input and output tokens of requests that did not end by themselves',
    cost Nullable(Float64) COMMENT 'what the accelerators cost; the sum of the next three; NULL where some of it is not known',
    served_cost Nullable(Float64) COMMENT 'of that for requests that ended by themselves',
    cancelled_cost Nullable(Float64) COMMENT 'of that for the others',
    idle_cost Nullable(Float64) COMMENT 'of that without any request',
    batch_cost Nullable(Float64) COMMENT 'of served and cancelled cost that of the class batch',
    batch_saved Nullable(Float64) COMMENT 'what these would have cost more on the class of other requests at its price of the hour',
    cost_per_million_tokens Nullable(Float64) COMMENT 'cost by millions of input and output tokens; NULL without tokens',
    cost_per_million_output_tokens Nullable(Float64) COMMENT 'cost by millions of output tokens alone'
)
AS SELECT
    region,
    model,
    gpu_class,
    gpu,
    hour,
    currency,
    sum(up_seconds) AS replica_seconds,
    sum(hours.busy_seconds) AS busy_seconds,
    sum(hours.gpu_seconds) AS gpu_seconds,
    sum(hours.unpriced_gpu_seconds) AS unpriced_gpu_seconds,
    sum(hours.requests) AS requests,
    sum(hours.input_tokens) AS input_tokens,
    sum(hours.cached_input_tokens) AS cached_input_tokens,
    sum(hours.output_tokens) AS output_tokens,
    sum(hours.cancelled_tokens) AS cancelled_tokens,
    if(countIf(hours.cost IS NULL) > 0, NULL, sum(hours.cost)) AS cost,
    if(countIf(hours.cost IS NULL) > 0, NULL, sum(hours.busy_cost * (1 - cancelled_share))) AS served_cost,
    if(countIf(hours.cost IS NULL) > 0, NULL, sum(hours.busy_cost * cancelled_share)) AS cancelled_cost,
    if(countIf(hours.cost IS NULL) > 0, NULL, sum(hours.cost - hours.busy_cost)) AS idle_cost,
    if(countIf(hours.cost IS NULL) > 0, NULL, sum(hours.busy_cost * batch_share)) AS batch_cost,
    if(
        countIf(hours.cost IS NULL) > 0,
        NULL,
        sum(if(up_seconds > 0, hours.gpu_seconds * hours.busy_seconds / up_seconds * batch_share * (usual_price - price) / 3600, 0))
    ) AS batch_saved,
    if(input_tokens + output_tokens = 0, NULL, cost / ((input_tokens + output_tokens) / 1e6)) AS cost_per_million_tokens,
    if(output_tokens = 0, NULL, cost / (output_tokens / 1e6)) AS cost_per_million_output_tokens
FROM
(
    SELECT
        *,
        if(computed_tokens = 0, 0, cancelled_computed_tokens / computed_tokens) AS cancelled_share,
        if(computed_tokens = 0, 0, batch_computed_tokens / computed_tokens) AS batch_share,
        if(gpu_seconds > 0, replica_hours.cost * 3600 / gpu_seconds, NULL) AS price,
        coalesce(
            max(if(urgent_requests > 0, price, NULL)) OVER (PARTITION BY region, model, hour),
            max(price) OVER (PARTITION BY region, model, hour)
        ) AS usual_price
    FROM ${database}.replica_hours
) AS hours
GROUP BY region, model, gpu_class, gpu, hour, currency
ORDER BY region, model, gpu_class, hour;

-- What each tenant cost in a day: its share of the busy time of each replica, by the tokens that were computed for it.
-- What was idle is nobody's: a row without a tenant. The rows of a day add up to what its accelerators cost.
CREATE OR REPLACE VIEW ${database}.cost_by_tenant_day
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    day Date COMMENT 'UTC day',
    tenant String COMMENT 'pseudonym of the tenant, 32 hexadecimal digits; empty for what nobody used',
    key_epoch UInt16 COMMENT 'number of the secret that made the pseudonym',
    currency String COMMENT 'three letters of ISO 4217; empty without a price',
    requests UInt64 COMMENT 'generations, every ending included',
    input_tokens UInt64 COMMENT 'of requests that ended by themselves, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'of requests that ended by themselves',
    cancelled_tokens UInt64 COMMENT 'input and output tokens of requests that did not end by themselves',
    cost Nullable(Float64) COMMENT 'the sum of the next three; NULL where some of it is not known',
    served_cost Nullable(Float64) COMMENT 'of that for requests that ended by themselves',
    cancelled_cost Nullable(Float64) COMMENT 'of that for the others',
    idle_cost Nullable(Float64) COMMENT 'of that without any request; of nobody alone'
)
AS SELECT
    region,
    model,
    day,
    tenant,
    key_epoch,
    currency,
    sum(shares.requests) AS requests,
    sum(input) AS input_tokens,
    sum(cached) AS cached_input_tokens,
    sum(output) AS output_tokens,
    sum(cancelled) AS cancelled_tokens,
    if(max(unknown) > 0, NULL, sum(served + spent + idle)) AS cost,
    if(max(unknown) > 0, NULL, sum(served)) AS served_cost,
    if(max(unknown) > 0, NULL, sum(spent)) AS cancelled_cost,
    if(max(unknown) > 0, NULL, sum(idle)) AS idle_cost
FROM
(
    SELECT
        used.region AS region,
        used.model AS model,
        used.day AS day,
        used.tenant AS tenant,
        used.key_epoch AS key_epoch,
        paid.currency AS currency,
        used.requests AS requests,
        used.input AS input,
        used.cached AS cached,
        used.output AS output,
        used.cancelled AS cancelled,
        paid.unknown AS unknown,
        if(paid.computed = 0, 0, paid.busy * (used.computed - used.cancelled_computed) / paid.computed) AS served,
        if(paid.computed = 0, 0, paid.busy * used.cancelled_computed / paid.computed) AS spent,
        toFloat64(0) AS idle
    FROM
    (
        SELECT
            region,
            model,
            replica,
            toDate(started_at) AS day,
            tenant,
            key_epoch,
            count() AS requests,
            sumIf(input_tokens, is_whole) AS input,
            sumIf(cached_input_tokens, is_whole) AS cached,
            sumIf(output_tokens, is_whole) AS output,
            sumIf(input_tokens + output_tokens, NOT is_whole) AS cancelled,
            sum(computed_tokens) AS computed,
            sumIf(computed_tokens, NOT is_whole) AS cancelled_computed
        FROM ${database}.measured_generations
        GROUP BY region, model, replica, day, tenant, key_epoch
    ) AS used
    LEFT JOIN
    (
        SELECT
            region,
            model,
            replica,
            toDate(hour) AS day,
            max(replica_hours.currency) AS currency,
            sum(coalesce(busy_cost, 0)) AS busy,
            sum(computed_tokens) AS computed,
            sum(unpriced_gpu_seconds) > 0 OR sum(up_seconds) = 0 AS unknown
        FROM ${database}.replica_hours
        GROUP BY region, model, replica, day
    ) AS paid
        ON paid.region = used.region AND paid.model = used.model AND paid.replica = used.replica AND paid.day = used.day
    UNION ALL
    SELECT
        region,
        model,
        toDate(hour) AS day,
        '',
        toUInt16(0),
        max(replica_hours.currency),
        toUInt64(0),
        toUInt64(0),
        toUInt64(0),
        toUInt64(0),
        toUInt64(0),
        sum(unpriced_gpu_seconds) > 0,
        if(sum(computed_tokens) = 0, sum(coalesce(busy_cost, 0)), 0),
        toFloat64(0),
        sum(coalesce(replica_hours.cost, 0) - coalesce(busy_cost, 0))
    FROM ${database}.replica_hours
    GROUP BY region, model, replica, day
    HAVING sum(up_seconds) > 0
) AS shares
GROUP BY region, model, day, tenant, key_epoch, currency
ORDER BY region, model, day, tenant, key_epoch;
