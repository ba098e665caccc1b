-- +goose Up

-- The ordered log of labels. What was there before are labels without what a model
-- could learn them from.
ALTER TABLE feedback ADD COLUMN kind       TEXT    NOT NULL DEFAULT 'label';
ALTER TABLE feedback ADD COLUMN of         INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN threat     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN recipients TEXT    NOT NULL DEFAULT '[]'; -- JSON array
ALTER TABLE feedback ADD COLUMN state      TEXT    NOT NULL DEFAULT 'applied';
ALTER TABLE feedback ADD COLUMN why        TEXT    NOT NULL DEFAULT '';
ALTER TABLE feedback ADD COLUMN trust      REAL    NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN trusted    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN extractor  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN features   BLOB    NOT NULL DEFAULT x''; -- hashed
ALTER TABLE feedback ADD COLUMN print      BLOB    NOT NULL DEFAULT x''; -- hashed

CREATE INDEX feedback_by_id ON feedback (id, seq);
CREATE INDEX feedback_by_time ON feedback (time, seq);
CREATE INDEX feedback_by_state ON feedback (state, seq);
