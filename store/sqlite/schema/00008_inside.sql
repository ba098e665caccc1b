-- +goose Up

-- What was found in a file, folded: addresses and signs, one a line.
ALTER TABLE message_file ADD COLUMN inside BLOB NOT NULL DEFAULT x'';
