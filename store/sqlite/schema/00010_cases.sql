-- +goose Up

-- Cases of subscribers.
CREATE TABLE subscriber_case (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	subject  TEXT    NOT NULL,
	state    TEXT    NOT NULL,
	live     INTEGER NOT NULL, -- 1: goes on
	opened   INTEGER NOT NULL,
	closed   INTEGER NOT NULL,
	version  INTEGER NOT NULL,
	haystack BLOB    NOT NULL, -- id and subject, folded
	document TEXT    NOT NULL  -- JSON: all of it
) STRICT;
CREATE INDEX subscriber_case_by_time ON subscriber_case (opened, id);
CREATE INDEX subscriber_case_by_subject ON subscriber_case (subject, opened);
-- A subject has one live case at most.
CREATE UNIQUE INDEX subscriber_case_live ON subscriber_case (tenant, subject) WHERE live = 1;
