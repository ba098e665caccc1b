-- +goose Up

-- What was found in the files of a message, for searches; the document has the rest.
CREATE TABLE message_file (
	seq    INTEGER NOT NULL REFERENCES message (seq) ON DELETE CASCADE,
	n      INTEGER NOT NULL, -- place in the record
	sha256 BLOB    NOT NULL, -- empty where nothing was read
	name   BLOB    NOT NULL, -- folded
	PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_file_by_sum ON message_file (sha256) WHERE sha256 <> x'';
