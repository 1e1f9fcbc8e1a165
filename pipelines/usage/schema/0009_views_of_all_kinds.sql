-- Views that need no new definition when an event has a new kind, or an enum a new name.

-- Producers and sequences of all events, by kind. The pipeline replaces this view at every start by one over the
-- tables of all the kinds that it knows; here it only has to be there for the next one.
CREATE OR REPLACE VIEW ${database}.event_sequences AS
SELECT 'admission' AS kind, producer_id, producer_sequence, started_at
FROM ${database}.admissions;

-- Per producer and kind: sequences are contiguous from 1, so a gap is a frame that is late, dead-lettered or lost,
-- and a double would be a row too many. Sequences up to the newest of the oldest day that still stands are left
-- out, because the day before it may have taken some of them along. What dead letters claim counts as expected, so
-- it is missing even where it would have been a producer's last; `unreadable_frames` of the kind claim nothing.
CREATE OR REPLACE VIEW ${database}.completeness AS
SELECT
    found.kind AS kind,
    found.producer_id AS producer_id,
    found.stored_rows AS stored_rows,
    found.last_sequence AS last_sequence,
    found.double_rows AS double_rows,
    found.missing_rows AS missing_rows,
    found.dead_frames AS dead_frames,
    found.dead_rows AS dead_rows,
    found.dead_reasons AS dead_reasons,
    unreadable.frames AS unreadable_frames,
    found.newest_event_at AS newest_event_at,
    lag.waiting_frames AS waiting_frames,
    lag.stored_until AS stored_until,
    lag.behind_seconds AS behind_seconds,
    lag.paused_for AS paused_for
FROM
(
    SELECT
        kind,
        producer_id,
        max(stored) AS stored_rows,
        max(last) AS last_sequence,
        max(doubles) AS double_rows,
        greatest(max(last), max(claimed_last), max(gone)) - max(gone) - max(standing) AS missing_rows,
        max(letters) AS dead_frames,
        max(claimed) AS dead_rows,
        groupUniqArrayArray(reasons) AS dead_reasons,
        max(newest) AS newest_event_at
    FROM
    (
        SELECT
            kind,
            producer_id,
            count() AS stored,
            max(producer_sequence) AS last,
            count() - uniqExact(producer_sequence) AS doubles,
            max(edge) AS gone,
            uniqExactIf(producer_sequence, producer_sequence > edge) AS standing,
            max(started_at) AS newest,
            0 AS letters,
            0 AS claimed,
            0 AS claimed_last,
            CAST([], 'Array(String)') AS reasons
        FROM
        (
            SELECT
                kind,
                producer_id,
                producer_sequence,
                started_at,
                maxIf(producer_sequence, toDate(started_at) <= oldest_day)
                    OVER (PARTITION BY kind, producer_id) AS edge
            FROM ${database}.event_sequences AS events
            CROSS JOIN
            (
                SELECT toDate(now('UTC')) - max(retention_days) + 1 AS oldest_day
                FROM ${database}.catalog_retention
            ) AS retention
        )
        GROUP BY kind, producer_id
        UNION ALL
        SELECT
            toString(kind),
            producer_id,
            0,
            0,
            0,
            0,
            0,
            toDateTime64(0, 6, 'UTC'),
            count(),
            sum(events),
            max(toUInt64(first_sequence + events - 1)),
            groupUniqArray(toString(reason))
        FROM ${database}.dead_letters
        WHERE events > 0
        GROUP BY kind, producer_id
    )
    GROUP BY kind, producer_id
) AS found
LEFT JOIN
(
    SELECT toString(kind) AS kind, count() AS frames
    FROM ${database}.dead_letters
    WHERE events = 0
    GROUP BY kind
) AS unreadable ON unreadable.kind = found.kind
LEFT JOIN ${database}.pipeline_lag AS lag ON lag.kind = found.kind
ORDER BY kind, producer_id;

-- Tokens and requests per region, model, day and ending; every ending counts, cancelled ones too. Endings are names
-- and no enum: a view keeps the enum of the day on which it was made, and fails on a row with a later name.
CREATE OR REPLACE VIEW ${database}.usage_by_day AS
SELECT
    if(regions.name = '', toString(used.region), regions.name) AS region,
    if(models.name = '', toString(used.model), models.name) AS model,
    used.day AS day,
    toString(used.outcome) AS outcome,
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
ORDER BY region, model, day, used.outcome;
