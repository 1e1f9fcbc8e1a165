-- The speed of answers of several choices, and no time to a first token where none came.

-- As the pipeline adds it behind the numbered files, but the view below needs it before.
ALTER TABLE ${database}.generations
    ADD COLUMN IF NOT EXISTS longest_choice_tokens UInt32 AFTER duration_microseconds;

-- How fast answers come, per region, model and hour, of generations that ended by themselves alone. TTFT is received to
-- first output token. TPS is per request: output tokens after the first, per second after it, of the longest of its
-- choices, since these come side by side. Rows of earlier generators do not say how long that is: all their tokens
-- count as those of one choice.
-- Where no request of an hour had a first token, as with vectors, there is no time to it and no rate behind it: the
-- quantiles are NULL. They were 0, which says that the first token came at once.
CREATE OR REPLACE VIEW ${database}.latency_by_hour AS
SELECT
    if(regions.name = '', toString(ended.region), regions.name) AS region,
    if(models.name = '', toString(ended.model), models.name) AS model,
    ended.hour AS hour,
    ended.requests AS requests,
    ended.ttft_seconds[1] AS ttft_p50_seconds,
    ended.ttft_seconds[2] AS ttft_p95_seconds,
    ended.ttft_seconds[3] AS ttft_p99_seconds,
    ended.tps_per_request[1] AS tps_per_request_p50,
    ended.tps_per_request[2] AS tps_per_request_p95,
    ended.sum_input_tokens AS input_tokens,
    ended.sum_cached_input_tokens AS cached_input_tokens,
    ended.sum_output_tokens AS output_tokens
FROM
(
    SELECT
        region,
        model,
        toStartOfHour(started_at) AS hour,
        count() AS requests,
        arrayMap(
            microseconds -> if(isNaN(microseconds), NULL, microseconds / 1000000),
            quantilesTDigestIf(0.5, 0.95, 0.99)(ttft_microseconds, ttft_microseconds > 0)
        ) AS ttft_seconds,
        arrayMap(
            tps -> if(isNaN(tps), NULL, tps),
            quantilesTDigestIf(0.5, 0.95)(
                1000000 * (if(longest_choice_tokens > 0, longest_choice_tokens, output_tokens) - 1)
                    / (duration_microseconds - ttft_microseconds),
                if(longest_choice_tokens > 0, longest_choice_tokens, output_tokens) > 1
                    AND duration_microseconds > ttft_microseconds
            )
        ) AS tps_per_request,
        sum(input_tokens) AS sum_input_tokens,
        sum(cached_input_tokens) AS sum_cached_input_tokens,
        sum(output_tokens) AS sum_output_tokens
    FROM ${database}.generations
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
        AND outcome IN ('stop', 'length', 'tool_calls')
    GROUP BY region, model, hour
) AS ended
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = ended.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = ended.model
ORDER BY region, model, hour;
