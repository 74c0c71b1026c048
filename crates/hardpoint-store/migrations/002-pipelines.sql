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

-- What somebody decided by hand about plugins. `enabled` is empty while nobody has: then the configuration decides.

CREATE TABLE plugin_flags (
    plugin   TEXT PRIMARY KEY,
    enabled  INTEGER,
    unloaded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO plugin_flags (plugin, enabled, unloaded) SELECT name, enabled, unloaded FROM plugins;

DROP TABLE plugins;

-- What somebody set by hand in the configuration of a plugin, and the hash of the schema that it was accepted under.

CREATE TABLE plugin_configs (
    plugin      TEXT PRIMARY KEY,
    config      TEXT NOT NULL,
    schema_hash TEXT,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far events are pruned: of those with a number up to `through` only those are kept whose job was not over.
CREATE TABLE events_pruned (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    through INTEGER NOT NULL
) STRICT;

INSERT INTO events_pruned (one, through) VALUES (1, 0);

-- The highest number of an event of this job that is not kept any more; 0: all of them are.
ALTER TABLE jobs ADD COLUMN events_pruned INTEGER NOT NULL DEFAULT 0;

-- Jobs of several stages, what passes between them, and saved pipelines.

ALTER TABLE jobs ADD COLUMN pipeline TEXT;              -- its definition, as it was when the job was accepted
ALTER TABLE jobs ADD COLUMN pipeline_id TEXT;           -- the saved pipeline that it is a run of
ALTER TABLE jobs ADD COLUMN pipeline_version INTEGER;
ALTER TABLE jobs ADD COLUMN input TEXT;                 -- what it was given, where that does not stand at its stage
ALTER TABLE jobs ADD COLUMN input_bytes INTEGER;        -- the size of an input with binary data, kept or not any more
ALTER TABLE jobs ADD COLUMN resumes TEXT;               -- the failed job whose finished stages it begins with

CREATE INDEX jobs_of_pipeline ON jobs (pipeline_id, position) WHERE pipeline_id IS NOT NULL;

ALTER TABLE stages ADD COLUMN output_bytes INTEGER;
-- 0: binary data stands in the result as {"$bytes": base64}. 1: as {"$blob": n}, a row of `blobs`.
ALTER TABLE stages ADD COLUMN result_form INTEGER NOT NULL DEFAULT 0;

CREATE TABLE blobs (
    job    TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    stage  INTEGER NOT NULL,                            -- -1: of the input
    number INTEGER NOT NULL,
    length INTEGER NOT NULL,
    data   BLOB,                                        -- what is small
    file   TEXT,                                        -- the name of the file that holds what is large
    PRIMARY KEY (job, stage, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipelines (
    id         TEXT NOT NULL,
    version    INTEGER NOT NULL,
    definition TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

-- How many jobs there are of each status, and stages of each plugin: changed in the transaction that changes the rows, so
-- that nobody counts these. What is over stays counted when its job is deleted.

CREATE TABLE job_counts (
    status TEXT PRIMARY KEY,
    jobs   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stage_counts (
    plugin TEXT NOT NULL,
    status TEXT NOT NULL,
    stages INTEGER NOT NULL,
    PRIMARY KEY (plugin, status)
) STRICT, WITHOUT ROWID;

INSERT INTO job_counts (status, jobs) SELECT status, count(*) FROM jobs GROUP BY status;
INSERT INTO stage_counts (plugin, status, stages) SELECT plugin, status, count(*) FROM stages GROUP BY plugin, status;

-- Which job has waited longest.
CREATE INDEX jobs_waiting ON jobs (submitted_at) WHERE status = 'pending';
