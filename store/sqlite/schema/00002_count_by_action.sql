-- +goose Up

-- Answers the counts of a day from the index alone.
CREATE INDEX message_by_action ON message (time, tenant, action);
