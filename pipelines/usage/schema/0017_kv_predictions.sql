-- How well KV-cache blocks are predicted.

-- What the router held against a replica's free blocks before a request was sent there, beside what the request filled
-- in the end; of generations, every ending included. A request that was cut short fills less than one of its kind.
CREATE OR REPLACE VIEW ${database}.kv_predictions
(
    region String COMMENT 'name of the region that served, or its number',
    model String COMMENT 'name of the model, or its number',
    replica UInt32 COMMENT 'number of the replica',
    priority String COMMENT 'scheduling class: interactive, default or batch',
    tenant String COMMENT 'pseudonym of the tenant under the secret of the epoch, 32 hexadecimal digits',
    key_epoch UInt16 COMMENT 'number of the secret that made the pseudonym',
    started_at DateTime64(6, 'UTC') COMMENT 'when the replica received the request',
    is_whole UInt8 COMMENT '1 where it ended by itself: stop, length, tool_calls',
    predicted_kv_blocks Nullable(UInt32) COMMENT 'blocks that the router expected; NULL where it could not know',
    actual_kv_blocks Nullable(UInt32) COMMENT 'blocks that input and output filled; NULL where the engine does not say their size, or nothing was computed',
    actual_per_predicted Nullable(Float64) COMMENT 'actual by predicted blocks: 1 is right, above 1 too little was expected; NULL where either is not known'
)
AS SELECT
    if(regions.name = '', toString(ended.region), regions.name) AS region,
    if(models.name = '', toString(ended.model), models.name) AS model,
    ended.replica AS replica,
    transform(ended.priority, [0, 10, 20], ['interactive', 'default', 'batch'], toString(ended.priority)) AS priority,
    lower(concat(leftPad(hex(ended.tenant_high), 16, '0'), leftPad(hex(ended.tenant_low), 16, '0'))) AS tenant,
    ended.key_epoch AS key_epoch,
    ended.started_at AS started_at,
    ended.outcome IN ('stop', 'length', 'tool_calls') AS is_whole,
    nullIf(ended.predicted_kv_blocks, 0) AS predicted_kv_blocks,
    nullIf(ended.actual_kv_blocks, 0) AS actual_kv_blocks,
    nullIf(ended.actual_kv_blocks, 0) / nullIf(ended.predicted_kv_blocks, 0) AS actual_per_predicted
FROM
(
    SELECT *, started_at
    FROM ${database}.generations
    WHERE toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM ${database}.catalog_retention)) > now()
) AS ended
LEFT JOIN ${database}.catalog_regions AS regions ON regions.number = ended.region
LEFT JOIN ${database}.catalog_models AS models ON models.number = ended.model;
