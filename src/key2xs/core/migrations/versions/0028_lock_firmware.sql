-- What decides how many time limits a key may hold, and whose turn it is to sign in again.

-- The maker's family and firmware number of a lock, as its system lists them; NULL = not told.
ALTER TABLE key_lock ADD COLUMN family text, ADD COLUMN firmware int;

-- Which wish of a person to sign in again was taken up, by the one process that tries, and whether that worked; for each
-- account that signs in there. No domain state: the wish is an entry.
CREATE TABLE key_sign_in (
    system_id uuid NOT NULL REFERENCES key_system,
    account text NOT NULL,
    asked_at timestamptz NOT NULL,
    worked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (system_id, account)
);
GRANT SELECT, INSERT, UPDATE ON key_sign_in TO key2xs_app;
GRANT SELECT ON key_sign_in TO key2xs_read;
