-- Refusals of keys come many in a row, and who asks for how often must find their number.

-- As the pipeline adds it behind the numbered files, but the view below needs it before.
ALTER TABLE ${database}.admissions
    ADD COLUMN IF NOT EXISTS requests UInt32 AFTER duration_microseconds;
ALTER TABLE ${database}.edge_requests
    ADD COLUMN IF NOT EXISTS requests UInt32 AFTER duration_microseconds;

-- What the router refused, per region, hour and reason. A row of a key that may not be used stands for all that were
-- refused alike within a second; the rows of earlier routers stand for one each.
CREATE OR REPLACE VIEW ${database}.refusals_by_hour AS
SELECT
    if(regions.name = '', toString(refused.region), regions.name) AS region,
    refused.hour AS hour,
    refused.reason AS reason,
    refused.sum_requests AS requests,
    refused.rows AS events
FROM
(
    SELECT
        region,
        toStartOfHour(started_at) AS hour,
        toString(reason) AS reason,
        sum(greatest(requests, 1)) AS sum_requests,
        count() AS rows
    FROM ${database}.admissions
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
        AND decision = 'refused'
    GROUP BY region, hour, reason
) AS refused
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = refused.region
ORDER BY region, hour, reason;
