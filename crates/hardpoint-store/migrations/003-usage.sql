-- What the calls of an instance used under one configuration.

CREATE TABLE usage_records (
    instance      TEXT NOT NULL,
    config_hash   TEXT NOT NULL,
    plugin        TEXT NOT NULL,
    samples       INTEGER NOT NULL,
    successes     INTEGER NOT NULL,
    cpu_mean      REAL NOT NULL,
    memory_max    REAL NOT NULL,
    memory_mean   REAL NOT NULL,
    gpu_max       REAL NOT NULL,
    gpu_mean      REAL NOT NULL,
    duration_mean REAL NOT NULL,
    last_observed INTEGER,
    totals        TEXT NOT NULL,
    PRIMARY KEY (instance, config_hash)
) STRICT, WITHOUT ROWID;
