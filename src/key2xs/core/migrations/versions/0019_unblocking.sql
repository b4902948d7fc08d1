-- A found key comes off the block list again, and a person's end waits for the shift leader as a stop does.

-- Two people asked for it. The key stays blocked until it is emptied and every lock that has to be was told.
ALTER TABLE key_key ADD COLUMN unblock_asked_at timestamptz,
    ADD CHECK (unblock_asked_at IS NULL OR blocked_at IS NOT NULL);

-- A visit takes a block to a cylinder, or away from it.
ALTER TABLE key_block_visit ADD COLUMN kind text NOT NULL DEFAULT 'block' CHECK (kind IN ('block', 'unblock'));
ALTER TABLE key_block_visit DROP CONSTRAINT key_block_visit_pkey;
ALTER TABLE key_block_visit ADD PRIMARY KEY (key_id, lock_external_id, kind);

-- What a stop of a person ends beside their access: the person here, or the contract at an instant.
ALTER TABLE incident_kill ADD COLUMN ending text CHECK (ending IN ('person', 'contract')),
    ADD COLUMN contract_ends_at timestamptz,
    ADD CHECK (ending IS NULL OR what = 'person'),
    ADD CHECK ((contract_ends_at IS NOT NULL) = (coalesce(ending, '') = 'contract'));
