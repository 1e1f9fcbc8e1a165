-- What accelerators cost, and what they did.

-- As the pipeline adds them behind the numbered files, but the views below need them before.
ALTER TABLE ${database}.replica_load
    ADD COLUMN IF NOT EXISTS gpu_class UInt16 AFTER age_milliseconds;
ALTER TABLE ${database}.replica_load
    ADD COLUMN IF NOT EXISTS gpus UInt16 AFTER gpu_class;

-- Prices of accelerators as they were declared (`usage.gpu_prices`), each from its moment until the next one of its
-- class. The pipeline adds rows and takes none away, so an old day keeps its price; of two rows of one moment the one
-- that was written later holds.
CREATE TABLE IF NOT EXISTS ${database}.gpu_prices
(
    gpu_class UInt16 COMMENT 'class of the accelerator, as replicas say it',
    name String COMMENT 'its name; empty: its number',
    nanos_per_hour UInt64 COMMENT 'price of one accelerator for an hour, in billionths of the unit of the currency',
    currency String COMMENT 'three letters of ISO 4217',
    since DateTime('UTC') COMMENT 'from when it holds',
    written_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'when the pipeline wrote it'
)
ENGINE = ${engine}
ORDER BY (gpu_class, since, written_at);

-- The price list with its history.
CREATE OR REPLACE VIEW ${database}.gpu_price_list
(
    gpu_class UInt16 COMMENT 'class of the accelerator, as replicas say it; 0: of those that say none',
    gpu String COMMENT 'its name, or its number',
    price_per_hour Float64 COMMENT 'of one accelerator, charged by the second',
    currency String COMMENT 'three letters of ISO 4217',
    since DateTime('UTC') COMMENT 'holds from here until the next one of the class'
)
AS SELECT
    gpu_class,
    if(argMax(name, written_at) = '', toString(gpu_class), argMax(name, written_at)) AS gpu,
    argMax(nanos_per_hour, written_at) / 1e9 AS price_per_hour,
    argMax(currency, written_at) AS currency,
    since
FROM ${database}.gpu_prices
GROUP BY gpu_class, since
ORDER BY gpu_class, since;

-- What each replica cost and did in each hour. It is up from a sample of its load to the next, where that comes within
-- five minutes: a process that starts again within them keeps its accelerators, one that is away for longer has given
-- them back. Each stretch costs the price of its class at its beginning. It is busy while it has at least one request.
CREATE OR REPLACE VIEW ${database}.replica_hours
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    replica UInt32 COMMENT 'number of the replica',
    hour DateTime('UTC') COMMENT 'the hour',
    gpu_class UInt16 COMMENT 'class of its accelerators; 0 where it says none',
    gpu String COMMENT 'name of the class in the price list, or its number',
    up_seconds Float64 COMMENT 'how long it was there',
    busy_seconds Float64 COMMENT 'of that with at least one request',
    gpu_seconds Float64 COMMENT 'seconds times accelerators',
    unpriced_gpu_seconds Float64 COMMENT 'of these without a price',
    currency String COMMENT 'three letters of ISO 4217; empty without a price',
    cost Nullable(Float64) COMMENT 'what the accelerators cost; NULL where some of it has no price, or it left no two samples',
    busy_cost Nullable(Float64) COMMENT 'of that while it was busy; the rest was idle',
    requests UInt64 COMMENT 'requests that began in the hour',
    input_tokens UInt64 COMMENT 'of those that ended by themselves, cached ones included',
    cached_input_tokens UInt64 COMMENT 'of them from the prefix cache',
    output_tokens UInt64 COMMENT 'of those that ended by themselves',
    cancelled_tokens UInt64 COMMENT 'input and output tokens of the others',
    computed_tokens UInt64 COMMENT 'all that was computed: input that was not cached, and output',
    cancelled_computed_tokens UInt64 COMMENT 'of that for requests that did not end by themselves',
    batch_computed_tokens UInt64 COMMENT 'of that for requests of the class batch',
    urgent_requests UInt64 COMMENT 'requests of other classes than batch'
)
AS SELECT
    if(regions.name = '', toString(done.region), regions.name) AS region,
    if(models.name = '', toString(done.model), models.name) AS model,
    done.replica AS replica,
    done.hour AS hour,
    done.gpu_class AS gpu_class,
    if(done.gpu = '', toString(done.gpu_class), done.gpu) AS gpu,
    done.up AS up_seconds,
    least(done.busy, done.up) AS busy_seconds,
    done.gpu_up AS gpu_seconds,
    done.unpriced AS unpriced_gpu_seconds,
    done.money AS currency,
    if(done.unpriced > 0 OR done.up = 0, NULL, done.paid) AS cost,
    if(done.unpriced > 0 OR done.up = 0, NULL, done.paid * least(done.busy, done.up) / done.up) AS busy_cost,
    done.requests AS requests,
    done.input AS input_tokens,
    done.cached AS cached_input_tokens,
    done.output AS output_tokens,
    done.cancelled AS cancelled_tokens,
    done.computed AS computed_tokens,
    done.cancelled_computed AS cancelled_computed_tokens,
    done.batch_computed AS batch_computed_tokens,
    done.urgent AS urgent_requests
FROM
(
    SELECT
        region,
        model,
        replica,
        hour,
        max(class) AS gpu_class,
        max(name) AS gpu,
        max(money) AS money,
        sum(up) AS up,
        sum(gpu_up) AS gpu_up,
        sum(unpriced) AS unpriced,
        sum(paid) AS paid,
        sum(busy) AS busy,
        sum(requests) AS requests,
        sum(input) AS input,
        sum(cached) AS cached,
        sum(output) AS output,
        sum(cancelled) AS cancelled,
        sum(computed) AS computed,
        sum(cancelled_computed) AS cancelled_computed,
        sum(batch_computed) AS batch_computed,
        sum(urgent) AS urgent
    FROM
    (
        SELECT
            stretch.region AS region,
            stretch.model AS model,
            stretch.replica AS replica,
            stretch.piece.1 AS hour,
            argMax(stretch.gpu_class, stretch.until) AS class,
            argMax(price.gpu, stretch.until) AS name,
            max(price.currency) AS money,
            sum(stretch.piece.2) AS up,
            sum(stretch.piece.2 * stretch.gpus) AS gpu_up,
            sumIf(stretch.piece.2 * stretch.gpus, price.currency = '') AS unpriced,
            sum(stretch.piece.2 * stretch.gpus * price.price_per_hour / 3600) AS paid,
            toFloat64(0) AS busy,
            toUInt64(0) AS requests,
            toUInt64(0) AS input,
            toUInt64(0) AS cached,
            toUInt64(0) AS output,
            toUInt64(0) AS cancelled,
            toUInt64(0) AS computed,
            toUInt64(0) AS cancelled_computed,
            toUInt64(0) AS batch_computed,
            toUInt64(0) AS urgent
        FROM
        (
            SELECT
                region,
                model,
                replica,
                gpu_class,
                gpus,
                toDateTime(since, 'UTC') AS since_second,
                until,
                arrayJoin(
                    if(
                        toStartOfHour(since) = toStartOfHour(until),
                        [(toStartOfHour(until), dateDiff('microsecond', since, until) / 1e6)],
                        [
                            (toStartOfHour(since), dateDiff('microsecond', since, toDateTime64(toStartOfHour(until), 6, 'UTC')) / 1e6),
                            (toStartOfHour(until), dateDiff('microsecond', toDateTime64(toStartOfHour(until), 6, 'UTC'), until) / 1e6)
                        ]
                    )
                ) AS piece
            FROM
            (
                SELECT
                    region,
                    model,
                    replica,
                    gpu_class,
                    greatest(gpus, 1) AS gpus,
                    started_at AS until,
                    lagInFrame(started_at) OVER (
                        PARTITION BY region, model, replica ORDER BY started_at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
                    ) AS since
                FROM ${database}.replica_load
                WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
            )
            WHERE since >= until - toIntervalMinute(5)
        ) AS stretch
        ASOF LEFT JOIN ${database}.gpu_price_list AS price
            ON price.gpu_class = stretch.gpu_class AND price.since <= stretch.since_second
        GROUP BY region, model, replica, hour
        UNION ALL
        SELECT
            region,
            model,
            replica,
            toStartOfHour(started_at) AS hour,
            toUInt16(0),
            '',
            '',
            0,
            0,
            0,
            0,
            0,
            count(),
            sumIf(input_tokens, is_whole),
            sumIf(cached_input_tokens, is_whole),
            sumIf(output_tokens, is_whole),
            sumIf(input_tokens + output_tokens, NOT is_whole),
            sum(tokens),
            sumIf(tokens, NOT is_whole),
            sumIf(tokens, priority = 20),
            countIf(priority != 20)
        FROM
        (
            SELECT
                region, model, replica, started_at, priority, input_tokens, cached_input_tokens, output_tokens,
                outcome IN ('stop', 'length', 'tool_calls') AS is_whole,
                toUInt64(greatest(0, toInt64(input_tokens) - cached_input_tokens)) + output_tokens AS tokens
            FROM ${database}.generations
            WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
        )
        GROUP BY region, model, replica, hour
        UNION ALL
        SELECT
            region,
            model,
            replica,
            toDateTime(3600 * nth, 'UTC') AS hour,
            toUInt16(0),
            '',
            '',
            0,
            0,
            0,
            0,
            intervalLengthSum(greatest(begun, 3600000000 * nth), least(ended, 3600000000 * (nth + 1))) / 1e6,
            0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM
        (
            SELECT
                region, model, replica,
                started_at_microseconds AS begun,
                started_at_microseconds + duration_microseconds AS ended,
                arrayJoin(range(intDiv(begun, 3600000000), intDiv(ended, 3600000000) + 1)) AS nth
            FROM ${database}.generations
            WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
        )
        GROUP BY region, model, replica, hour
    )
    GROUP BY region, model, replica, hour
) AS done
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = done.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = done.model
ORDER BY region, model, replica, hour;
