-- How far the store is behind the log, and what became a dead letter: numbers, enums and times.

-- One frame that can never be stored per row. Producer, first sequence and events are what its header claims, 0
-- where it has none that can be believed.
CREATE TABLE IF NOT EXISTS ${database}.dead_letters
(
    kind Enum8('admission' = 1, 'generation' = 2, 'edge_request' = 3, 'replica_load' = 4),
    partition UInt32,
    offset UInt64,
    reason Enum8(
        'none' = 0, 'header_truncated' = 1, 'magic_wrong' = 2, 'header_version_unknown' = 3,
        'kind_wrong' = 4, 'schema_version_unknown' = 5, 'length_wrong' = 6, 'checksum_wrong' = 7,
        'count_wrong' = 8, 'sequence_wrong' = 9, 'body_unreadable' = 10, 'body_not_canonical' = 11,
        'producer_wrong' = 12, 'region_wrong' = 13, 'value_out_of_bounds' = 14,
        'started_in_the_future' = 15, 'expired' = 16, 'store_refused' = 17, 'field_unknown' = 18,
        'kind_unknown' = 19, 'clock_behind' = 20, 'clock_ahead' = 21, 'store_clock_wrong' = 22,
        'expired_on_arrival' = 23
    ),
    length_bytes UInt32,
    store_code UInt32,
    producer_id UInt64,
    first_sequence UInt64,
    events UInt32,
    recorded_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC')
)
ENGINE = ${engine}
PARTITION BY toDate(recorded_at)
ORDER BY (kind, partition, offset)
TTL toStartOfDay(recorded_at) + toIntervalDay(30)
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, ${deduplication_window};

-- One measurement of one kind per row: what the log holds and the group has not committed.
CREATE TABLE IF NOT EXISTS ${database}.pipeline_progress
(
    kind Enum8('admission' = 1, 'generation' = 2, 'edge_request' = 3, 'replica_load' = 4),
    waiting_frames UInt64,
    oldest_waiting_microseconds UInt64,
    pause Enum8(
        'none' = 0, 'header_truncated' = 1, 'magic_wrong' = 2, 'header_version_unknown' = 3,
        'kind_wrong' = 4, 'schema_version_unknown' = 5, 'length_wrong' = 6, 'checksum_wrong' = 7,
        'count_wrong' = 8, 'sequence_wrong' = 9, 'body_unreadable' = 10, 'body_not_canonical' = 11,
        'producer_wrong' = 12, 'region_wrong' = 13, 'value_out_of_bounds' = 14,
        'started_in_the_future' = 15, 'expired' = 16, 'store_refused' = 17, 'field_unknown' = 18,
        'kind_unknown' = 19, 'clock_behind' = 20, 'clock_ahead' = 21, 'store_clock_wrong' = 22,
        'expired_on_arrival' = 23
    ),
    pause_partition UInt32,
    pause_offset UInt64,
    measured_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC')
)
ENGINE = ${engine}
PARTITION BY toDate(measured_at)
ORDER BY (kind, measured_at)
TTL toStartOfDay(measured_at) + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1;

-- Per kind: until when the store has everything that entered the log, and by how much that is in the past now. A
-- pipeline that is away, paused or late lets `stored_until` stand still.
CREATE OR REPLACE VIEW ${database}.pipeline_lag AS
SELECT
    toString(kind) AS kind,
    max(measured) AS measured_at,
    argMax(frames, measured) AS waiting_frames,
    argMax(until, measured) AS stored_until,
    greatest(dateDiff('second', stored_until, now64(3, 'UTC')), 0) AS behind_seconds,
    argMaxIf(why, measured, why != 'none' AND measured > newest - toIntervalSecond(15)) AS paused_for,
    argMaxIf(place, measured, why != 'none' AND measured > newest - toIntervalSecond(15)) AS paused_partition,
    argMaxIf(position, measured, why != 'none' AND measured > newest - toIntervalSecond(15)) AS paused_offset
FROM
(
    SELECT
        kind,
        measured_at AS measured,
        max(measured_at) OVER (PARTITION BY kind) AS newest,
        waiting_frames AS frames,
        if(
            oldest_waiting_microseconds = 0,
            measured_at,
            toDateTime64(fromUnixTimestamp64Micro(toInt64(oldest_waiting_microseconds), 'UTC'), 3, 'UTC')
        ) AS until,
        toString(pause) AS why,
        pause_partition AS place,
        pause_offset AS position
    FROM ${database}.pipeline_progress
    WHERE measured_at > (SELECT max(measured_at) FROM ${database}.pipeline_progress) - toIntervalMinute(10)
)
GROUP BY kind
ORDER BY kind;

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
