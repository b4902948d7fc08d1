-- Wake-ups from key systems, signing in again, tags that name permits, and what people tried at locks.

-- A subscription at the vendor, stored before the vendor is asked for it; `id` is its id there. `sealed` holds the key
-- that its messages are signed with.
CREATE TABLE key_hook (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    event text NOT NULL,
    url text NOT NULL,
    sealed bytea NOT NULL,
    ends_at timestamptz NOT NULL,
    made_at timestamptz,
    gone_at timestamptz,
    entry bigint NOT NULL
);
CREATE INDEX key_hook_live ON key_hook (system_id) WHERE gone_at IS NULL;

-- That a key system called, and how far that was followed. No domain state: what it told of is read, and that is on the log.
CREATE TABLE key_wake (
    system_id uuid NOT NULL REFERENCES key_system,
    what text NOT NULL CHECK (what IN ('events', 'inventory')),
    asked_at timestamptz NOT NULL,
    taken_at timestamptz,
    PRIMARY KEY (system_id, what)
);

-- When a person wanted signing in tried again after the vendor had refused it for good.
ALTER TABLE key_system ADD COLUMN sign_in_again_at timestamptz;

-- What the vendor's own log says of a key's permits, as we had it written there.
CREATE TABLE key_tag (
    key_id uuid PRIMARY KEY REFERENCES key_key,
    value text NOT NULL,
    tagged_at timestamptz NOT NULL,
    entry bigint NOT NULL
);
ALTER TABLE key_event ADD COLUMN tag text;

-- What a person found at a lock: whether it heeds an end date. It wins over what the interface says.
CREATE TABLE key_lock_check (
    system_id uuid NOT NULL,
    lock_external_id text NOT NULL,
    honours_limits text NOT NULL CHECK (honours_limits IN ('yes', 'no', 'unknown')),
    checked_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (system_id, lock_external_id),
    FOREIGN KEY (system_id, lock_external_id) REFERENCES key_lock (system_id, external_id)
);

SELECT log_guard(name) FROM unnest(ARRAY['key_hook', 'key_tag', 'key_lock_check']) AS name;
GRANT SELECT, INSERT, UPDATE ON key_hook, key_wake, key_tag, key_lock_check TO key2xs_app;
GRANT SELECT ON key_hook, key_wake, key_tag, key_lock_check TO key2xs_read;

-- The numbers of the permits that grants rest on, for the vendor's log.
CREATE VIEW grant_permits AS
SELECT lease.id AS grant_id, permit.number FROM grant_lease AS lease
JOIN work_permit AS permit ON lease.basis_ref = 'permit:' || permit.id
WHERE lease.state <> 'ended';
GRANT SELECT ON grant_permits TO key2xs_app, key2xs_read;

-- A key that is handed back at its maker for good: emptied first, then its return is sent, then it is gone there.
CREATE TABLE key_return (
    key_id uuid PRIMARY KEY REFERENCES key_key,
    asked_at timestamptz NOT NULL,
    sent_at timestamptz,
    ended_at timestamptz,
    gone boolean NOT NULL DEFAULT false,
    entry bigint NOT NULL,
    CHECK (NOT gone OR (ended_at IS NOT NULL AND sent_at IS NOT NULL))
);
CREATE INDEX key_return_open ON key_return (key_id) WHERE ended_at IS NULL;
SELECT log_guard('key_return');
GRANT SELECT, INSERT, UPDATE ON key_return TO key2xs_app;
GRANT SELECT ON key_return TO key2xs_read;
