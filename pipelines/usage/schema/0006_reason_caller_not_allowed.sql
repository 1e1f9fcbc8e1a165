-- A reason more: a process that called another one without being on its list.

ALTER TABLE ${database}.admissions MODIFY COLUMN reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30, 'quota_too_small' = 31,
        'caller_not_allowed' = 32
);

ALTER TABLE ${database}.generations MODIFY COLUMN reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30, 'quota_too_small' = 31,
        'caller_not_allowed' = 32
);

ALTER TABLE ${database}.edge_requests MODIFY COLUMN reason Enum8(
        'none' = 0, 'key_invalid' = 1, 'key_expired' = 2, 'tenant_disabled' = 3,
        'model_not_found' = 4, 'request_invalid' = 5, 'request_too_large' = 6,
        'context_too_long' = 7, 'parameter_unsupported' = 8, 'requests_exhausted' = 9,
        'tokens_exhausted' = 10, 'concurrency_exhausted' = 11, 'region_not_allowed' = 12,
        'no_replica' = 13, 'replica_overloaded' = 14, 'replica_draining' = 15,
        'ticket_invalid' = 16, 'ticket_expired' = 17, 'ticket_wrong_replica' = 18,
        'ticket_already_used' = 19, 'ticket_limit_exceeded' = 20, 'deadline_exceeded' = 21,
        'client_cancelled' = 22, 'engine_failed' = 23, 'usage_not_recorded' = 24,
        'spool_full' = 25, 'unavailable' = 26, 'not_found' = 27, 'already_exists' = 28,
        'internal' = 29, 'route_not_found' = 30, 'quota_too_small' = 31,
        'caller_not_allowed' = 32
);
