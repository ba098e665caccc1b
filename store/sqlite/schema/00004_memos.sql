-- +goose Up

-- Small facts that their owners hold in memory and write from time to time.
CREATE TABLE memo (
	kind    TEXT    NOT NULL,
	key     BLOB    NOT NULL,
	value   BLOB    NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX memo_by_time ON memo (kind, updated);
