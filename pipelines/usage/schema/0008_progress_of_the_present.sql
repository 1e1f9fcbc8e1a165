-- Measurements that a store with a fast clock dated into the future are no news: without this they would stay the
-- newest until that day comes, and the store would seem to have everything meanwhile.
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
    WHERE measured_at <= now64(3, 'UTC') + toIntervalMinute(1)
        AND measured_at > -toIntervalMinute(10) + (
            SELECT max(measured_at)
            FROM ${database}.pipeline_progress
            WHERE measured_at <= now64(3, 'UTC') + toIntervalMinute(1)
        )
)
GROUP BY kind
ORDER BY kind;
