-- Statements about edits made elsewhere.

-- name: seen_of
-- What was read of a key last and when, whether edits of it are unsettled, how many programs were noted for it, and
-- which of them are under way: written by us after $3, and how that ended is not known.
SELECT
    (SELECT seen FROM drift_seen WHERE key_id = $1) AS seen,
    (SELECT as_of FROM drift_seen WHERE key_id = $1) AS as_of,
    (SELECT work.read_at FROM key_work AS work WHERE work.target_id = $2) AS read_at,
    coalesce((SELECT max(number) FROM key_program WHERE key_id = $1), 0) AS number,
    ARRAY(
        SELECT program.number FROM key_call AS call JOIN key_program AS program
            ON program.key_id = $1 AND program.origin = 'ours' AND program.written_at = call.started_at
        WHERE call.target_id = $2 AND call.operation = 'write_program' AND call.finished_at IS NULL AND call.started_at > $3
        ORDER BY program.number
    ) AS under_way,
    EXISTS (SELECT 1 FROM drift_finding WHERE key_id = $1 AND state IN ('open', 'acknowledged')) AS unsettled

-- name: put_seen
-- What was read of a key now.
INSERT INTO drift_seen (key_id, seen, as_of) VALUES ($1, $2, $3)
ON CONFLICT (key_id) DO UPDATE SET seen = excluded.seen, as_of = excluded.as_of

-- name: programs_since
-- What we wrote after the reading before, and what was under way at that reading, which may have arrived late.
SELECT program FROM key_program
WHERE key_id = $1 AND origin = 'ours' AND (number > $2 OR number = ANY($3::bigint[]))

-- name: programs_possible
-- Every program that may be in the device.
SELECT program FROM key_program WHERE key_id = $1 AND gone_at IS NULL

-- name: programs_written_since
-- What we wrote since an instant, the newest first.
SELECT program FROM key_program WHERE key_id = $1 AND origin = 'ours' AND written_at >= $2 ORDER BY number DESC LIMIT 1

-- name: newest_of_ours
-- The newest program that we wrote.
SELECT program FROM key_program WHERE key_id = $1 AND origin = 'ours' ORDER BY number DESC LIMIT 1

-- name: rights_taken
-- Rights that a key once had from us, and standing rights that ended here.
SELECT jsonb_array_elements_text(program -> 'rights') AS right_id FROM key_program
WHERE key_id = $1 AND origin = 'ours'
UNION SELECT right_id FROM key_standing WHERE key_id = $1 AND why IN ('enforced', 'revoked', 'lapsed')

-- name: called_since
-- Whether one of these calls was made for a target.
SELECT true FROM key_call WHERE target_id = $1 AND operation = ANY($2::text[]) AND started_at > $3 LIMIT 1

-- name: called_for_key
-- Whether one of these calls was ever made for a key.
SELECT true FROM key_call AS call JOIN key_target AS target ON target.id = call.target_id
WHERE target.key_id = $1 AND call.operation = ANY($2::text[]) LIMIT 1

-- name: changed_hands_at
-- When a key last changed hands here.
SELECT max(greatest(lower(during), CASE WHEN upper_inf(during) THEN lower(during) ELSE upper(during) END))
FROM key_custody WHERE key_id = $1 AND upper_inf(known)

-- name: zones_touched
-- The zones of these locks with their modes and policies.
SELECT DISTINCT place.zone_id, place.mode, policy.policy
FROM plant_places AS place JOIN key_system AS system ON system.vendor = place.vendor
LEFT JOIN drift_policy AS policy ON policy.zone_id = place.zone_id
WHERE system.id = $1 AND place.external_id = ANY($2::text[]) ORDER BY place.zone_id

-- name: opened_by
-- The locks that these rights open.
SELECT DISTINCT unnest(locks) AS lock FROM key_right WHERE system_id = $1 AND external_id = ANY($2::text[])

-- name: enforced_among
-- Whether one of these locks lies in an enforced zone.
SELECT true FROM plant_places AS place JOIN key_system AS system ON system.vendor = place.vendor
WHERE system.id = $1 AND place.external_id = ANY($2::text[]) AND place.mode = 'enforce' LIMIT 1

-- name: insert_finding
-- An edit seen for the first time.
INSERT INTO drift_finding (id, system_id, key_id, lock_external_id, right_id, kind, before, after, zones, ad_hoc, policy,
    leaves, wanted, first_seen, last_seen, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15)

-- name: close_finding
-- It is no longer so, or a person settled it.
UPDATE drift_finding SET state = $2, last_seen = greatest(last_seen, $3), settled_at = $4, settled_by = $5, entry = $6
WHERE id = $1

-- name: acknowledge_finding
-- Somebody has seen it; `decision` where it is to be reverted.
UPDATE drift_finding SET state = 'acknowledged', decision = coalesce($2, decision), entry = $3 WHERE id = $1

-- name: accept_finding
-- It stays as it is as long as this is wanted.
UPDATE drift_finding SET state = 'accepted', decision = 'accept', wanted = $2, last_seen = greatest(last_seen, $3),
    settled_at = $3, settled_by = $4, entry = $5
WHERE id = $1

-- name: lock_finding
-- One finding, for whoever settles it.
SELECT id FROM drift_finding WHERE id = $1 FOR UPDATE

-- name: find_finding
-- One finding.
SELECT finding.*, system.name AS system, key.stamp, lock.marking AS lock_marking, found.name AS right_name,
    CASE WHEN finding.state IN ('open', 'acknowledged') THEN greatest(finding.last_seen, work.read_at)
         ELSE finding.last_seen END AS seen_last,
    ARRAY(SELECT code FROM plant_zone WHERE id = ANY(finding.zones) ORDER BY code) AS zone_codes
FROM drift_finding AS finding JOIN key_system AS system ON system.id = finding.system_id
LEFT JOIN key_key AS key ON key.id = finding.key_id
LEFT JOIN key_lock AS lock ON lock.system_id = finding.system_id AND lock.external_id = finding.lock_external_id
LEFT JOIN key_right AS found ON found.system_id = finding.system_id AND found.external_id = finding.right_id
LEFT JOIN key_target AS target ON target.key_id = finding.key_id LEFT JOIN key_work AS work ON work.target_id = target.id
WHERE finding.id = $1

-- name: list_findings
-- Findings, the newest first; of zones, keys, locks, kinds and states.
SELECT finding.*, system.name AS system, key.stamp, lock.marking AS lock_marking, found.name AS right_name,
    CASE WHEN finding.state IN ('open', 'acknowledged') THEN greatest(finding.last_seen, work.read_at)
         ELSE finding.last_seen END AS seen_last,
    ARRAY(SELECT code FROM plant_zone WHERE id = ANY(finding.zones) ORDER BY code) AS zone_codes
FROM drift_finding AS finding JOIN key_system AS system ON system.id = finding.system_id
LEFT JOIN key_key AS key ON key.id = finding.key_id
LEFT JOIN key_lock AS lock ON lock.system_id = finding.system_id AND lock.external_id = finding.lock_external_id
LEFT JOIN key_right AS found ON found.system_id = finding.system_id AND found.external_id = finding.right_id
LEFT JOIN key_target AS target ON target.key_id = finding.key_id LEFT JOIN key_work AS work ON work.target_id = target.id
WHERE ($1::uuid IS NULL OR finding.zones @> ARRAY[$1::uuid]) AND ($2::uuid IS NULL OR finding.key_id = $2)
    AND ($3::text[] IS NULL OR finding.state = ANY($3::text[])) AND ($4::boolean IS NULL OR finding.ad_hoc = $4)
    AND ($5::uuid IS NULL OR finding.id < $5) AND ($6::uuid IS NULL OR finding.lock_external_id IN (
        SELECT external_id FROM plant_cylinders WHERE id = $6))
ORDER BY finding.id DESC LIMIT $7

-- name: count_findings
-- How many findings are in which state, and how many of those that are open give access without a grant.
SELECT state, count(*) AS n, count(*) FILTER (WHERE ad_hoc) AS ad_hoc FROM drift_finding
WHERE $1::uuid IS NULL OR zones @> ARRAY[$1::uuid] GROUP BY state

-- name: unsettled_of_key
-- Edits of a key that are not settled.
SELECT id, kind, before, after, policy, decision FROM drift_finding WHERE key_id = $1 AND state IN ('open', 'acknowledged') ORDER BY id

-- name: any_standing
-- Whether a key has edits that may be left or held.
SELECT true FROM drift_finding WHERE key_id = $1 AND state IN ('open', 'acknowledged', 'accepted') LIMIT 1

-- name: unsettled_listed
-- Unsettled findings that listings tell of.
SELECT id, key_id, lock_external_id, right_id, kind, before, after FROM drift_finding
WHERE system_id = $1 AND state IN ('open', 'acknowledged')
    AND kind IN ('deleted', 'unlisted', 'lock_rights', 'hidden_rights', 'lock_unlisted', 'group', 'new_key')

-- name: was_listed_new
-- Whether a key came new after the first listing.
SELECT true FROM drift_finding WHERE key_id = $1 AND kind = 'new_key' LIMIT 1

-- name: unlisted_of
-- What the listing before left out.
SELECT what, external_id FROM drift_unlisted WHERE system_id = $1

-- name: put_unlisted
-- A listing left this out.
INSERT INTO drift_unlisted (system_id, what, external_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: drop_unlisted
-- A listing has it again.
DELETE FROM drift_unlisted WHERE system_id = $1 AND what = $2 AND external_id = $3

-- name: first_listed
-- When a system was listed last, None before the first time.
SELECT inventory_at FROM key_system WHERE id = $1

-- name: seen_flags
-- What was read of each key of a system last, as far as a listing tells it, too.
SELECT key.external_id, key.id, seen.seen ->> 'holder' AS holder, (seen.seen ->> 'blocked')::boolean AS blocked, target.id AS target_id
FROM drift_seen AS seen JOIN key_key AS key ON key.id = seen.key_id JOIN key_target AS target ON target.key_id = key.id
WHERE key.system_id = $1

-- name: look_now
-- These targets are read as soon as the connection allows.
UPDATE key_work SET next_at = least(next_at, $2), marks = marks + 1 WHERE target_id = ANY($1::uuid[])

-- name: look_at_all
-- Every key of a system, or of all, is read as soon as the connection allows.
UPDATE key_work AS work SET next_at = least(work.next_at, $2), marks = work.marks + 1
FROM key_target AS target WHERE target.id = work.target_id AND ($1::uuid IS NULL OR target.system_id = $1)

-- name: policies
-- What each zone does with edits; NULL where it has the default of its mode.
SELECT zone.id, zone.code, zone.name, fact.mode, policy.policy
FROM plant_zone AS zone JOIN plant_zone_fact AS fact
    ON fact.zone_id = zone.id AND upper_inf(fact.known) AND upper_inf(fact.during)
LEFT JOIN drift_policy AS policy ON policy.zone_id = zone.id
ORDER BY zone.code

-- name: put_policy
-- What a zone does with edits from now on.
INSERT INTO drift_policy (zone_id, policy, entry) VALUES ($1, $2, $3)
ON CONFLICT (zone_id) DO UPDATE SET policy = excluded.policy, entry = excluded.entry

-- name: just_undone
-- Whether an edit of this kind was closed in this very reading because its value from before is back.
SELECT true FROM drift_finding WHERE key_id = $1 AND kind = $2 AND state = 'gone' AND settled_at = $3
    AND before IS NOT DISTINCT FROM $4::jsonb LIMIT 1

-- name: look_at_key
-- A key is read as soon as the connection allows.
UPDATE key_work AS work SET next_at = least(work.next_at, $2), marks = work.marks + 1
FROM key_target AS target WHERE target.id = work.target_id AND target.key_id = $1

-- name: is_managed
-- Whether a key was handed out here and is in use.
SELECT true FROM key_key WHERE id = $1 AND adopted_at IS NOT NULL AND NOT deleted

-- name: any_enforced
-- Whether one of these zones is enforced.
SELECT true FROM plant_zone_fact
WHERE zone_id = ANY($1::uuid[]) AND mode = 'enforce' AND upper_inf(known) AND upper_inf(during) LIMIT 1

-- name: names_of
-- The names of these rights and locks of a key system.
SELECT external_id, name FROM key_right WHERE system_id = $1 AND external_id = ANY($2::text[])
UNION ALL SELECT external_id, marking FROM key_lock WHERE system_id = $1 AND external_id = ANY($2::text[])

-- name: lock_plans
-- Which rights each lock of a system was to hold by the listing before.
SELECT external_id, rights FROM drift_lock_plan WHERE system_id = $1

-- name: put_lock_plan
-- Which rights a lock is to hold.
INSERT INTO drift_lock_plan (system_id, external_id, rights) VALUES ($1, $2, $3)
ON CONFLICT (system_id, external_id) DO UPDATE SET rights = excluded.rights
