-- Who used how much, for those who bill or plan by tenant.

-- Tokens and requests per region, model, day and tenant; every ending counts, cancelled ones too. A tenant is its
-- pseudonym of a secret's epoch, as 32 hexadecimal digits: only who holds that secret can say whose it is, and the
-- same tenant has another one in the next epoch.
CREATE OR REPLACE VIEW ${database}.usage_by_tenant AS
SELECT
    if(regions.name = '', toString(used.region), regions.name) AS region,
    if(models.name = '', toString(used.model), models.name) AS model,
    used.day AS day,
    used.tenant AS tenant,
    used.key_epoch AS key_epoch,
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
        lower(concat(leftPad(hex(tenant_high), 16, '0'), leftPad(hex(tenant_low), 16, '0'))) AS tenant,
        key_epoch,
        count() AS requests,
        sum(input_tokens) AS sum_input_tokens,
        sum(cached_input_tokens) AS sum_cached_input_tokens,
        sum(output_tokens) AS sum_output_tokens
    FROM ${database}.generations
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
    GROUP BY region, model, day, tenant_high, tenant_low, key_epoch
) AS used
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = used.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = used.model
ORDER BY region, model, day, tenant, key_epoch;
