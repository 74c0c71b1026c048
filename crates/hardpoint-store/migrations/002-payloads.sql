-- The payloads of five types of events have other fields.

UPDATE events SET kind = json_object('type', 'CANCEL_PHASE_CHANGED', 'payload',
    json_object('from', NULL, 'to', kind ->> '$.payload.phase'))
    WHERE kind ->> '$.type' = 'CANCEL_PHASE_CHANGED';

UPDATE events SET kind = json_object('type', 'BLOCK_REASON_CHANGED', 'payload',
    json_object('from', NULL, 'to', kind ->> '$.payload.reason'))
    WHERE kind ->> '$.type' = 'BLOCK_REASON_CHANGED';

UPDATE events SET kind = json_object('type', 'RETRY_STARTED', 'payload',
    json_object('attempt', kind ->> '$.payload.retry_count', 'exception_repr', kind ->> '$.payload.reason',
        'exception_category', 'transient'))
    WHERE kind ->> '$.type' = 'RETRY_STARTED';

UPDATE events SET kind = json_object('type', 'SEQUENCE_ADVANCED', 'payload',
    json_object('prior_job_id', job, 'prior_step_index', kind ->> '$.payload.index',
        'prior_success', json(iif(kind ->> '$.payload.status' = 'completed', 'true', 'false'))))
    WHERE kind ->> '$.type' = 'SEQUENCE_ADVANCED';

UPDATE events SET kind = json_object('type', 'RESOURCE_SNAPSHOT', 'payload', json_object('snapshot',
    json_set(kind -> '$.payload', '$.timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch'))))
    WHERE kind ->> '$.type' = 'RESOURCE_SNAPSHOT';
