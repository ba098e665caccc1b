-- Times are nanoseconds since 1970 UTC. A document holds the whole value as
-- compact JSON; the columns beside it only find it.

-- +goose Up

-- Narrow on purpose: a search by text walks these rows.
CREATE TABLE message (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	action   INTEGER NOT NULL, -- the strongest
	actions  INTEGER NOT NULL, -- set: bit 1 << action
	threat   INTEGER NOT NULL,
	haystack BLOB    NOT NULL  -- folded id, sender, subject, recipients
) STRICT;
CREATE INDEX message_by_time ON message (time, seq);

CREATE TABLE message_document (
	seq      INTEGER PRIMARY KEY REFERENCES message (seq) ON DELETE CASCADE,
	document TEXT    NOT NULL
) STRICT;

CREATE TABLE quarantine (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	stored   INTEGER NOT NULL,
	pending  INTEGER NOT NULL,
	threat   INTEGER NOT NULL,
	haystack BLOB    NOT NULL,
	document TEXT    NOT NULL
) STRICT;
CREATE INDEX quarantine_by_time ON quarantine (stored, seq);

CREATE TABLE feedback (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	id     TEXT    NOT NULL,
	tenant TEXT    NOT NULL,
	time   INTEGER NOT NULL,
	spam   INTEGER NOT NULL,
	source TEXT    NOT NULL,
	by     TEXT    NOT NULL
) STRICT;

CREATE TABLE tenant (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	domains  TEXT NOT NULL -- JSON array
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
	name     TEXT PRIMARY KEY,
	password TEXT    NOT NULL, -- a salted slow hash
	created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
