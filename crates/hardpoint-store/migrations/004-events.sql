-- How far events are pruned: of those with a number up to `through` only those are kept whose job was not over.
CREATE TABLE events_pruned (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    through INTEGER NOT NULL
) STRICT;

INSERT INTO events_pruned (one, through) VALUES (1, 0);

-- The highest number of an event of this job that is not kept any more; 0: all of them are.
ALTER TABLE jobs ADD COLUMN events_pruned INTEGER NOT NULL DEFAULT 0;
