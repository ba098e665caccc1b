-- +goose Up

-- The Message-ID of what users of ours sent to other systems; empty for all other mail.
ALTER TABLE message ADD COLUMN relayed BLOB NOT NULL DEFAULT x'';
CREATE INDEX message_by_relayed ON message (relayed) WHERE relayed <> x'';
