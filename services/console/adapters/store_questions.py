"""The questions that the console asks the store, each over the tables and views that analysts have."""

from typing import Final

# As the view latency_by_hour has it, in the steps of a chart; a row whose TTL has passed is in no answer.
_ENDED: Final = """
    FROM {database:Identifier}.generations AS ended
    LEFT JOIN {database:Identifier}.catalog_models AS models ON models.number = ended.model
    WHERE started_at > now64(6) - toIntervalSecond({seconds:UInt32})
        AND toStartOfDay(started_at) + toIntervalDay(
            (SELECT max(retention_days) FROM {database:Identifier}.catalog_retention)
        ) > now()
        AND outcome IN ('stop', 'length', 'tool_calls')
"""
_QUANTILES: Final = """
    count() AS requests,
    sum(output_tokens) AS tokens,
    quantilesTDigestIf(0.5, 0.95)(ttft_microseconds, ttft_microseconds > 0) AS ttft,
    quantilesTDigestIf(0.5, 0.95)(
        1000000 * (if(longest_choice_tokens > 0, longest_choice_tokens, output_tokens) - 1)
            / (duration_microseconds - ttft_microseconds),
        if(longest_choice_tokens > 0, longest_choice_tokens, output_tokens) > 1
            AND duration_microseconds > ttft_microseconds
    ) AS tps
"""
_NAME: Final = "if(any(models.name) = '', toString(ended.model), any(models.name)) AS model_name"
_STEP: Final = (
    "toUnixTimestamp(toStartOfInterval(started_at, toIntervalSecond({step_seconds:UInt32}), 'UTC'))"
)
MOST_ROWS: Final = 20_000

_LIMIT: Final = f"LIMIT {MOST_ROWS}"
MODELS: Final = f"SELECT 0 AS at, {_NAME}, {_QUANTILES} {_ENDED} GROUP BY ended.model {_LIMIT}"
STEPS: Final = f"SELECT {_STEP} AS at, {_NAME}, {_QUANTILES} {_ENDED} GROUP BY at, ended.model {_LIMIT}"
LOADS: Final = f"""
SELECT at, if(any(models.name) = '', toString(seen.model), any(models.name)) AS model_name,
    sum(running) AS running, sum(waiting) AS waiting, max(kv) AS kv
FROM
(
    SELECT {_STEP} AS at, model, replica, avg(running_requests) AS running, max(waiting_requests) AS waiting,
        max(kv_usage_permille) / 1000 AS kv
    FROM {{database:Identifier}}.replica_load
    WHERE started_at > now64(6) - toIntervalSecond({{seconds:UInt32}})
    GROUP BY at, model, replica
) AS seen
LEFT JOIN {{database:Identifier}}.catalog_models AS models ON models.number = seen.model
GROUP BY at, seen.model
ORDER BY at
LIMIT {MOST_ROWS}
"""  # noqa: S608 - words of this file
KINDS: Final = """
SELECT kind, sum(stored_rows) AS stored, sum(missing_rows) AS missing, sum(double_rows) AS doubles,
    sum(dead_rows) AS dead, max(unreadable_frames) AS unreadable, max(behind_seconds) AS behind,
    max(paused_for) AS paused
FROM {database:Identifier}.completeness
GROUP BY kind
ORDER BY kind
"""
OLDEST: Final = """
SELECT kind, toUnixTimestamp(min(started_at)) AS oldest,
    countIf(toStartOfDay(started_at) + toIntervalDay(
        (SELECT max(retention_days) + 1 FROM {database:Identifier}.catalog_retention)
    ) <= now()) AS overdue
FROM {database:Identifier}.event_sequences
GROUP BY kind
"""
RETENTION: Final = "SELECT max(retention_days) AS days FROM {database:Identifier}.catalog_retention"
