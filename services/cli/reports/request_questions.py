"""What `comptoir request` asks: every row of one request, and what explains that there is none."""

from typing import Final

_RETAINED: Final = """
WHERE request_id_high = {high:UInt64} AND request_id_low = {low:UInt64}
    AND toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM comptoir.catalog_retention))
        > now()
ORDER BY started_at
"""
_MODEL: Final = "if(models.name = '', toString(seen.model), models.name) AS model"
_REGION: Final = "if(regions.name = '', toString(seen.region), regions.name) AS region"
_CLASS: Final = (
    "transform(priority, [0, 10, 20], ['interactive', 'default', 'batch'], toString(priority)) AS class"
)
_NAMES: Final = """
LEFT JOIN comptoir.catalog_models AS models ON models.number = seen.model
LEFT JOIN comptoir.catalog_regions AS regions ON regions.number = seen.region
"""

ADMISSIONS: Final = f"""
SELECT started_at, {_REGION}, {_MODEL}, toString(decision) AS decided, toString(reason) AS why, replica,
    {_CLASS}, reserved_tokens, max_output_tokens, duration_microseconds
FROM comptoir.admissions AS seen {_NAMES} {_RETAINED}
"""  # noqa: S608 - names of ours
GENERATIONS: Final = f"""
SELECT started_at, {_REGION}, {_MODEL}, toString(outcome) AS ended, toString(reason) AS why, replica,
    {_CLASS}, attempt, is_streamed, input_tokens, cached_input_tokens, output_tokens,
    predicted_kv_blocks, actual_kv_blocks, queue_microseconds, prefill_microseconds,
    ttft_microseconds, max_itl_microseconds, duration_microseconds
FROM comptoir.generations AS seen {_NAMES} {_RETAINED}
"""  # noqa: S608 - names of ours
EDGE_REQUESTS: Final = f"""
SELECT started_at, {_REGION}, {_MODEL}, toString(endpoint) AS route, toString(reason) AS why, http_status,
    is_streamed, is_client_cancelled, request_bytes, response_bytes, client_retry_count,
    admitted_microseconds, first_byte_microseconds, duration_microseconds
FROM comptoir.edge_requests AS seen {_NAMES} {_RETAINED}
"""  # noqa: S608 - names of ours
# What the store could have of it.
KEEPS: Final = """
SELECT (SELECT max(retention_days) FROM comptoir.catalog_retention) AS days,
    (SELECT
            arrayStringConcat(
                groupUniqArray(if(regions.name = '', toString(seen.region), regions.name)), ', '
            )
        FROM (SELECT DISTINCT region FROM comptoir.admissions) AS seen
        LEFT JOIN comptoir.catalog_regions AS regions ON regions.number = seen.region) AS regions
"""
