-- How many calls a key system was given, by all processes that talk to it. No domain state: what a call did has entries of
-- its own. It only keeps the site within what the vendor allows.
CREATE TABLE key_pace (
    system_id uuid PRIMARY KEY REFERENCES key_system,
    day date NOT NULL,
    used int NOT NULL DEFAULT 0,
    in_background int NOT NULL DEFAULT 0,
    next_call_at timestamptz,
    standing smallint NOT NULL DEFAULT 0 CHECK (standing BETWEEN 0 AND 2),
    CHECK (0 <= in_background AND in_background <= used)
);
GRANT SELECT, INSERT, UPDATE ON key_pace TO key2xs_app;
GRANT SELECT ON key_pace TO key2xs_read;
