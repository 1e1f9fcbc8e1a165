-- What was used, and whether everything that was recorded is here.

-- Tokens and requests per region, model, day and ending; every ending counts, cancelled ones too.
CREATE OR REPLACE VIEW ${database}.usage_by_day AS
SELECT
    if(regions.name = '', toString(used.region), regions.name) AS region,
    if(models.name = '', toString(used.model), models.name) AS model,
    used.day AS day,
    used.outcome AS outcome,
    used.requests AS requests,
    used.sum_input_tokens AS input_tokens,
    used.sum_cached_input_tokens AS cached_input_tokens,
    used.sum_output_tokens AS output_tokens
FROM
(
    SELECT
        region,
        model,
        toDate(started_at) AS day,
        outcome,
        count() AS requests,
        sum(input_tokens) AS sum_input_tokens,
        sum(cached_input_tokens) AS sum_cached_input_tokens,
        sum(output_tokens) AS sum_output_tokens
    FROM ${database}.generations
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, day, outcome
) AS used
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = used.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = used.model
ORDER BY region, model, day, outcome;

-- Admitted requests against generations: what is open is in flight, was released unused, or is lost.
CREATE OR REPLACE VIEW ${database}.reconciliation_by_hour AS
SELECT
    region,
    hour,
    sum(admitted) AS admitted_requests,
    sum(admitted AND ended) AS ended_requests,
    sum(admitted AND NOT ended) AS open_requests,
    sum(ended AND NOT admitted) AS unadmitted_requests
FROM
(
    SELECT
        any(region) AS region,
        toStartOfHour(min(started_at)) AS hour,
        max(is_admission) AS admitted,
        max(is_generation) AS ended
    FROM
    (
        SELECT request_id_high, request_id_low, region, started_at, 1 AS is_admission, 0 AS is_generation
        FROM ${database}.admissions
        WHERE decision = 'admitted'
        UNION ALL
        SELECT request_id_high, request_id_low, region, started_at, 0, 1
        FROM ${database}.generations
    )
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY request_id_high, request_id_low
)
GROUP BY region, hour
ORDER BY region, hour;

-- Per producer and kind: sequences are contiguous from 1, so a gap is a frame that is late, dead-lettered or lost,
-- and a double would be a row too many. Sequences up to the newest of the oldest day that still stands are left
-- out, because the day before it may have taken some of them along.
CREATE OR REPLACE VIEW ${database}.completeness AS
SELECT
    kind,
    producer_id,
    count() AS stored_rows,
    max(producer_sequence) AS last_sequence,
    count() - uniqExact(producer_sequence) AS double_rows,
    max(producer_sequence) - max(edge) - uniqExactIf(producer_sequence, producer_sequence > edge) AS missing_rows
FROM
(
    SELECT
        kind,
        producer_id,
        producer_sequence,
        maxIf(producer_sequence, toDate(started_at) <= oldest_day)
            OVER (PARTITION BY kind, producer_id) AS edge
    FROM
    (
        SELECT 'admission' AS kind, producer_id, producer_sequence, started_at
        FROM ${database}.admissions
        UNION ALL
        SELECT 'generation', producer_id, producer_sequence, started_at
        FROM ${database}.generations
        UNION ALL
        SELECT 'edge_request', producer_id, producer_sequence, started_at
        FROM ${database}.edge_requests
        UNION ALL
        SELECT 'replica_load', producer_id, producer_sequence, started_at
        FROM ${database}.replica_load
    ) AS events
    CROSS JOIN
    (
        SELECT toDate(now('UTC')) - max(retention_days) + 1 AS oldest_day
        FROM ${database}.catalog_retention
    ) AS retention
)
GROUP BY kind, producer_id
ORDER BY kind, producer_id;
