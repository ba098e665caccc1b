-- +goose Up

-- What senders say against refusals, for the admin.
CREATE TABLE appeal (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	time     INTEGER NOT NULL,
	text     BLOB    NOT NULL, -- as it was sent
	document TEXT    NOT NULL, -- JSON: the facts of the refusal
	state    TEXT    NOT NULL,
	by       TEXT    NOT NULL,
	decided  INTEGER NOT NULL
) STRICT;
CREATE INDEX appeal_by_time ON appeal (time, seq);
CREATE INDEX appeal_by_state ON appeal (state, time, seq);
