-- What somebody decided by hand about plugins. `enabled` is empty while nobody has: then the configuration decides.

CREATE TABLE plugin_flags (
    plugin   TEXT PRIMARY KEY,
    enabled  INTEGER,
    unloaded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO plugin_flags (plugin, enabled, unloaded) SELECT name, enabled, unloaded FROM plugins;

DROP TABLE plugins;
