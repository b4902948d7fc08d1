-- Indexes behind search and the live pages: what somebody types is found by its beginning and by any three characters
-- of it, over tens of thousands of keys and locks; the pages of now touch only what is open now.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Beginnings (in byte order, so that a bound parameter can use them) and parts. Stamps change seldom and are searched
-- often, so nothing is left for a later clean-up of the index.
CREATE INDEX key_key_stamp_begins ON key_key (lower(stamp) text_pattern_ops);
CREATE INDEX key_key_stamp_parts ON key_key USING gin (lower(stamp) gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX plant_cylinder_marking_begins ON plant_cylinder (lower(marking) text_pattern_ops);
CREATE INDEX plant_cylinder_marking_parts ON plant_cylinder USING gin (lower(marking) gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX plant_access_point_code_begins ON plant_access_point (lower(code) text_pattern_ops);
CREATE INDEX plant_access_point_parts ON plant_access_point USING gin (lower(code || ' ' || name) gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX work_permit_number_begins ON work_permit (lower(number) text_pattern_ops);
CREATE INDEX work_permit_number_parts ON work_permit USING gin (lower(number) gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX work_permit_external ON work_permit (external_id);

-- What is open now.
CREATE INDEX grant_lease_ends ON grant_lease (upper(during)) WHERE state <> 'ended';
CREATE INDEX grant_lease_state ON grant_lease (state) WHERE state <> 'ended';
CREATE INDEX key_may_open_after_end ON key_may_open (exposed_until)
    WHERE gone_at = 'infinity' AND kind IN ('bound', 'no_bound');
CREATE INDEX key_target_unfinished ON key_target (asked_at) WHERE delivered_at IS NULL OR problem IS NOT NULL;
CREATE INDEX work_event_held ON work_event (received_at DESC, id DESC) WHERE outcome IN ('refused', 'parked');
CREATE INDEX work_permit_state_began ON work_permit_state (lower(during)) WHERE upper_inf(known);
CREATE INDEX work_permit_state_live ON work_permit_state (permit_id) WHERE upper_inf(known) AND state = 'live';
