-- A file as schema version 11 wrote it: sqlite3 FILE .dump
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-24 05:52:08');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-24 05:52:08');
INSERT INTO goose_db_version VALUES(3,2,1,'2026-11-24 05:52:08');
INSERT INTO goose_db_version VALUES(4,3,1,'2026-11-24 07:26:39');
INSERT INTO goose_db_version VALUES(5,4,1,'2026-11-24 08:53:14');
INSERT INTO goose_db_version VALUES(6,5,1,'2026-11-24 12:01:27');
INSERT INTO goose_db_version VALUES(7,6,1,'2026-11-24 13:20:23');
INSERT INTO goose_db_version VALUES(8,7,1,'2026-11-24 15:36:00');
INSERT INTO goose_db_version VALUES(9,8,1,'2026-11-24 15:42:00');
INSERT INTO goose_db_version VALUES(10,9,1,'2026-11-24 16:20:00');
INSERT INTO goose_db_version VALUES(11,10,1,'2026-11-24 16:30:00');
INSERT INTO goose_db_version VALUES(12,11,1,'2026-11-24 18:28:23');
CREATE TABLE message (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	action   INTEGER NOT NULL, -- the strongest
	actions  INTEGER NOT NULL, -- set: bit 1 << action
	threat   INTEGER NOT NULL,
	haystack BLOB    NOT NULL  -- folded id, sender, subject, recipients
, relayed BLOB NOT NULL DEFAULT x'') STRICT;
INSERT INTO message VALUES(1,'kept','acme',1773489600000000000,6,80,3,X'6b6570740a73656e646572406578616d706c652e6f72670a796f757220696e766f6963650a626f62406578616d706c652e636f6d0a657665406578616d706c652e636f6d',X'31406578616d706c652e6f7267');
CREATE TABLE message_document (
	seq      INTEGER PRIMARY KEY REFERENCES message (seq) ON DELETE CASCADE,
	document TEXT    NOT NULL
) STRICT;
INSERT INTO message_document VALUES(1,'{"id":"kept","tenant":"acme","time":"2026-03-14T12:00:00Z","conn":{"id":"c-kept","client":"[2001:db8::7]:4711","via":"192.0.2.9:2500","local":"192.0.2.1:25","start":"2026-03-14T11:59:59Z","door":"smtp","verb":"EHLO","hello":"mail.example","tls":{"version":"TLS1.3","cipher":"TLS_AES_128_GCM_SHA256","sni":"mx.example"},"auth":"anna","trusted":true,"already":true,"stored":true},"env":{"id":"kept","from":"sender@example.org","params":[["SIZE","100"],["SMTPUTF8",""]],"rcpts":[{"to":"bob@example.com","params":[["NOTIFY","NEVER"]]},{"to":"eve@example.com"}],"size":100,"body":"8BITMIME","utf8":true,"tenant":"acme","outbound":true,"received":"2026-03-14T12:00:00Z"},"subject":"Your invoice","msgid":"<1@example.org>","size":1234,"phase":"message","verdict":{"threat":"phish","points":17.3,"p":0.9817,"hard":"EICAR","kind":1,"ledger":[{"id":"LINK_TEXT_MISMATCH","points":20.2,"raw":4,"phase":"message","group":"link","threat":"phish","detail":"https://a.example → b.example","off":10,"len":20,"part":2},{"id":"PRIOR","points":-2.9,"raw":-2.9,"group":"prior"},{"id":"EICAR","group":"attachment","threat":"malware","hard":1},{"id":"SPF_FAIL","group":"identity","state":"unknown","detail":"timeout"}],"versions":{"program":"1.0","catalogue":"c","model":"m","config":"f"}},"decisions":[{"to":"bob@example.com","action":"quarantine","why":"LINK_TEXT_MISMATCH"},{"to":"eve@example.com","action":"reject","why":"EICAR"}],"outcomes":[{"to":"bob@example.com","reply":{"code":451,"enh":"4.3.0","text":"later","close":true,"slow":true},"err":"next hop: gone","unknown":true}],"reply":{"code":550,"enh":"5.7.1","text":"Looks like phishing"},"us":4321,"files":[{"name":"Invoice.ZIP","type":"zip","class":"archive","size":900,"sha256":"4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2","content":"whole","marked":true,"links":["https://files.example/a"],"signs":["PASSWORD_WORKED"]},{"name":"in/Invoice.exe","in":"Invoice.ZIP","depth":1,"type":"pe","class":"executable","size":2000,"content":"locked","marked":true}],"filesleft":3,"proved":[["example.org","dmarc"],["signer.example","dkim"]]}');
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
INSERT INTO quarantine VALUES(2,'kept','acme',1773489600000000000,0,3,X'6b6570740a73656e646572406578616d706c652e6f72670a796f757220696e766f6963650a626f62406578616d706c652e636f6d0a657665406578616d706c652e636f6d','{"id":"kept","tenant":"acme","env":{"id":"kept","from":"sender@example.org","params":[["SIZE","100"],["SMTPUTF8",""]],"rcpts":[{"to":"bob@example.com","params":[["NOTIFY","NEVER"]]},{"to":"eve@example.com"}],"size":100,"body":"8BITMIME","utf8":true,"tenant":"acme","outbound":true,"received":"2026-03-14T12:00:00Z"},"conn":{"id":"c-kept","client":"[2001:db8::7]:4711","via":"192.0.2.9:2500","local":"192.0.2.1:25","start":"2026-03-14T11:59:59Z","door":"smtp","verb":"EHLO","hello":"mail.example","tls":{"version":"TLS1.3","cipher":"TLS_AES_128_GCM_SHA256","sni":"mx.example"},"auth":"anna","trusted":true,"already":true,"stored":true},"verdict":{"threat":"phish","points":17.3,"p":0.9817,"hard":"EICAR","kind":1,"ledger":[{"id":"LINK_TEXT_MISMATCH","points":20.2,"raw":4,"phase":"message","group":"link","threat":"phish","detail":"https://a.example → b.example","off":10,"len":20,"part":2},{"id":"PRIOR","points":-2.9,"raw":-2.9,"group":"prior"},{"id":"EICAR","group":"attachment","threat":"malware","hard":1},{"id":"SPF_FAIL","group":"identity","state":"unknown","detail":"timeout"}],"versions":{"program":"1.0","catalogue":"c","model":"m","config":"f"}},"stored":"2026-03-14T12:00:00Z","expires":"2026-04-13T12:00:00Z","size":1234,"subject":"Your invoice","released":"2026-03-14T13:00:00Z"}');
CREATE TABLE feedback (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	id     TEXT    NOT NULL,
	tenant TEXT    NOT NULL,
	time   INTEGER NOT NULL,
	spam   INTEGER NOT NULL,
	source TEXT    NOT NULL,
	by     TEXT    NOT NULL
, kind       TEXT    NOT NULL DEFAULT 'label', of         INTEGER NOT NULL DEFAULT 0, threat     INTEGER NOT NULL DEFAULT 0, recipients TEXT    NOT NULL DEFAULT '[]', state      TEXT    NOT NULL DEFAULT 'applied', why        TEXT    NOT NULL DEFAULT '', trust      REAL    NOT NULL DEFAULT 0, trusted    INTEGER NOT NULL DEFAULT 0, extractor  INTEGER NOT NULL DEFAULT 0, features   BLOB    NOT NULL DEFAULT x'', print      BLOB    NOT NULL DEFAULT x'') STRICT;
INSERT INTO feedback VALUES(1,'kept','acme',1773489600000000000,1,'report','kept','label',7,3,'["bob@example.com","kept"]','held','because kept',0.125,1,3,X'666561747572657300ff206b657074',X'7072696e7400ff206b657074');
CREATE TABLE tenant (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL,
	domains  TEXT NOT NULL -- JSON array
) STRICT, WITHOUT ROWID;
INSERT INTO tenant VALUES('acme','Acme','["example.com"]');
CREATE TABLE account (
	name     TEXT PRIMARY KEY,
	password TEXT    NOT NULL, -- a salted slow hash
	created  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO account VALUES('admin','a hash',1773489600000000000);
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
CREATE TABLE report (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT    NOT NULL UNIQUE,
	tenant   TEXT    NOT NULL,
	time     INTEGER NOT NULL,
	haystack BLOB    NOT NULL,
	document TEXT    NOT NULL
) STRICT;
CREATE TABLE memo (
	kind    TEXT    NOT NULL,
	key     BLOB    NOT NULL,
	value   BLOB    NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
INSERT INTO memo VALUES('reputation',X'6b657074',X'312032',1773489600000000000);
CREATE TABLE message_file (
	seq    INTEGER NOT NULL REFERENCES message (seq) ON DELETE CASCADE,
	n      INTEGER NOT NULL, -- place in the record
	sha256 BLOB    NOT NULL, -- empty where nothing was read
	name   BLOB    NOT NULL, inside BLOB NOT NULL DEFAULT x'', -- folded
	PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;
INSERT INTO message_file VALUES(1,0,X'4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2',X'696e766f6963652e7a6970',X'70617373776f72645f776f726b65640a68747470733a2f2f66696c65732e6578616d706c652f61');
INSERT INTO message_file VALUES(1,1,X'',X'696e2f696e766f6963652e657865',X'0a');
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
INSERT INTO review VALUES(1,'kept','acme',1773489600000000000,X'73656e646572406578616d706c652e6f7267',X'596f757220696e766f696365','{"to":["bob@example.com"],"why":["new"]}',0.9375,3,X'66ff',X'70ff','bad','anna',1773493200000000000);
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
INSERT INTO appeal VALUES(1,'kept',1773489600000000000,X'4974207761732061206e6577736c6574746572ff','{"asker":"198.51.100.9","event":1773486000000000000,"client":"203.0.113.77","hello":"bWFpbC5leGFtcGxl","phase":"message","threat":"phish","code":550,"reasons":["SPF_FAIL"]}','granted','anna',1773493200000000000);
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
INSERT INTO subscriber_case VALUES(1,'kept','acme','account:kept','notified',1,1773489600000000000,1773490200000000000,1,X'6b6570740a6163636f756e743a6b657074','{"ID":"kept","Tenant":"acme","Subject":"account:kept","Kind":"stolen","State":"notified","Restrict":"hold","Points":21.5,"Own":true,"Opened":"2026-03-14T12:00:00Z","FirstAbuse":"2026-03-14T12:01:00Z","Held":"2026-03-14T12:02:00Z","Told":"2026-03-14T12:03:00Z","Notified":"2026-03-14T12:04:00Z","Confirmed":"2026-03-14T12:05:00Z","Remediated":"2026-03-14T12:06:00Z","Watched":"2026-03-14T12:07:00Z","Until":"2026-03-14T12:08:00Z","Escalated":"2026-03-14T12:09:00Z","Closed":"2026-03-14T12:10:00Z","Updated":"2026-03-14T12:11:00Z","Recurred":1,"Reopened":2,"SelfReleases":3,"Let":4,"Kept":5,"LeftSteps":6,"Signals":[{"kind":"SPAM_MAIL","count":7,"points":20.5,"first":"2026-03-14T12:12:00Z","last":"2026-03-14T12:13:00Z","detail":"kept","id":"account:kept"}],"Notices":[{"id":"kept","channel":"mail","address":"account:kept","tried":"2026-03-14T12:14:00Z","accepted":"2026-03-14T12:15:00Z","delivered":"2026-03-14T12:16:00Z","opened":"2026-03-14T12:17:00Z","acknowledged":"2026-03-14T12:18:00Z","failed":"2026-03-14T12:19:00Z","detail":"kept"}],"Steps":[{"time":"2026-03-14T12:20:00Z","actor":"kept","what":"noted","from":"held","to":"notified","note":"account:kept"}],"Merged":["kept","account:kept"],"Into":"kept","Version":1}');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',12);
INSERT INTO sqlite_sequence VALUES('review',1);
INSERT INTO sqlite_sequence VALUES('appeal',1);
INSERT INTO sqlite_sequence VALUES('subscriber_case',1);
INSERT INTO sqlite_sequence VALUES('message',3);
INSERT INTO sqlite_sequence VALUES('quarantine',2);
INSERT INTO sqlite_sequence VALUES('feedback',1);
CREATE INDEX message_by_time ON message (time, seq);
CREATE INDEX quarantine_by_time ON quarantine (stored, seq);
CREATE INDEX message_by_action ON message (time, tenant, action);
CREATE INDEX dmarc_day_by_domain ON dmarc_day (domain, day, passed);
CREATE INDEX dmarc_day_due ON dmarc_day (day, messages DESC, domain) WHERE settled = 0;
CREATE INDEX report_sent_by_time ON report_sent (time);
CREATE INDEX report_by_time ON report (time, seq);
CREATE INDEX memo_by_time ON memo (kind, updated);
CREATE INDEX feedback_by_id ON feedback (id, seq);
CREATE INDEX feedback_by_time ON feedback (time, seq);
CREATE INDEX feedback_by_state ON feedback (state, seq);
CREATE INDEX message_file_by_sum ON message_file (sha256) WHERE sha256 <> x'';
CREATE INDEX review_by_time ON review (time, seq);
CREATE INDEX review_by_state ON review (state, time, seq);
CREATE INDEX appeal_by_time ON appeal (time, seq);
CREATE INDEX appeal_by_state ON appeal (state, time, seq);
CREATE INDEX subscriber_case_by_time ON subscriber_case (opened, id);
CREATE INDEX subscriber_case_by_subject ON subscriber_case (subject, opened);
CREATE UNIQUE INDEX subscriber_case_live ON subscriber_case (tenant, subject) WHERE live = 1;
CREATE INDEX message_by_relayed ON message (relayed) WHERE relayed <> x'';
COMMIT;
