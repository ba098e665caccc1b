-- +goose Up

-- What came in of one policy domain on one day; it outlives the rows, because
-- it says whether a domain is known well enough to get reports.
CREATE TABLE dmarc_day (
	day      INTEGER NOT NULL,
	domain   TEXT    NOT NULL,
	messages INTEGER NOT NULL,
	passed   INTEGER NOT NULL, -- accepted, with a passing DMARC
	rows     INTEGER NOT NULL, -- kept in dmarc_row
	lost     INTEGER NOT NULL, -- messages beyond the rows that are kept
	settled  INTEGER NOT NULL, -- 1: the report was sent, or never will be
	PRIMARY KEY (day, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX dmarc_day_by_domain ON dmarc_day (domain, day, passed);
CREATE INDEX dmarc_day_due ON dmarc_day (day, messages DESC, domain) WHERE settled = 0;

CREATE TABLE dmarc_row (
	day      INTEGER NOT NULL,
	domain   TEXT    NOT NULL,
	key      BLOB    NOT NULL, -- SHA-256 of what makes rows equal
	count    INTEGER NOT NULL,
	passed   INTEGER NOT NULL,
	document TEXT    NOT NULL,
	PRIMARY KEY (day, domain, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_sent (
	day      INTEGER NOT NULL,
	domain   TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	sent     INTEGER NOT NULL, -- 0: decided not to
	document TEXT    NOT NULL,
	PRIMARY KEY (day, domain)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_sent_by_time ON report_sent (time);

CREATE TABLE report (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	haystack BLOB    NOT NULL,
	document TEXT    NOT NULL
) STRICT;
CREATE INDEX report_by_time ON report (time, seq);
