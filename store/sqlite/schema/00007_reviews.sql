-- +goose Up

-- The admin's queue of delivered mail to look at.
CREATE TABLE review (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	id        TEXT    NOT NULL UNIQUE,
	tenant    TEXT    NOT NULL,
	time      INTEGER NOT NULL,
	sender    BLOB    NOT NULL, -- as the message has it
	subject   BLOB    NOT NULL,
	document  TEXT    NOT NULL, -- JSON: recipients, why
	score     REAL    NOT NULL,
	extractor INTEGER NOT NULL,
	features  BLOB    NOT NULL, -- hashed
	print     BLOB    NOT NULL, -- hashed
	state     TEXT    NOT NULL,
	by        TEXT    NOT NULL,
	decided   INTEGER NOT NULL
) STRICT;
CREATE INDEX review_by_time ON review (time, seq);
CREATE INDEX review_by_state ON review (state, time, seq);
