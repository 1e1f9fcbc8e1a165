-- Names for the numbers in events. Configuration is their truth: the pipeline replaces each table whole at start.

CREATE TABLE IF NOT EXISTS ${database}.catalog_regions (number UInt32, name String)
ENGINE = ${engine}
ORDER BY number;

CREATE TABLE IF NOT EXISTS ${database}.catalog_models (number UInt32, name String)
ENGINE = ${engine}
ORDER BY number;

-- One row: for how many days views show events. Without it they show none.
CREATE TABLE IF NOT EXISTS ${database}.catalog_retention (retention_days UInt16)
ENGINE = ${engine}
ORDER BY retention_days;
