-- Statements of the keys room.

-- name: find_system
-- A key system by its configured name.
SELECT * FROM key_system WHERE name = $1

-- name: system_name
-- The configured name of a key system.
SELECT name FROM key_system WHERE id = $1

-- name: list_systems
-- All key systems.
SELECT * FROM key_system ORDER BY name

-- name: insert_system
-- A key system seen for the first time.
INSERT INTO key_system (id, name, vendor, interface, entry) VALUES ($1, $2, $3, $4, $5)

-- name: set_inventory
-- When everything was listed last.
UPDATE key_system SET inventory_at = $2, visibility_complete = $3, entry = $4 WHERE id = $1

-- name: find_key
-- A key by id or by the stamp printed on it.
SELECT * FROM key_key WHERE ($1::uuid IS NOT NULL AND id = $1) OR ($2::text IS NOT NULL AND lower(stamp) = lower($2))

-- name: find_key_at
-- A key by stamp and key system.
SELECT key.* FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
WHERE lower(key.stamp) = lower($1) AND lower(system.name) = lower($2)

-- name: list_keys
-- Keys by stamp.
SELECT * FROM key_key WHERE $1::text IS NULL OR lower(stamp) LIKE lower($1) || '%' ORDER BY stamp, id LIMIT $2

-- name: keys_of_system
-- All keys of a key system.
SELECT * FROM key_key WHERE system_id = $1

-- name: find_vendor_key
-- A key by the vendor's id.
SELECT * FROM key_key WHERE system_id = $1 AND external_id = $2

-- name: insert_key
-- A key listed for the first time.
INSERT INTO key_key (id, system_id, external_id, stamp, kind, deleted, vendor_held, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: update_key
-- A key listed differently.
UPDATE key_key SET stamp = $3, kind = $4, deleted = $5, vendor_held = $6, entry = $7 WHERE system_id = $1 AND external_id = $2

-- name: adopt_key
-- The first hand-out through Key2XS: from now on the key may be written.
UPDATE key_key SET adopted_at = $2, entry = $3 WHERE id = $1

-- name: set_emergency
-- S1: this key never enters a block list or a mass action.
UPDATE key_key SET emergency = $2, entry = $3 WHERE id = $1

-- name: block_key
-- Lost, stolen or killed.
UPDATE key_key SET blocked_at = coalesce(blocked_at, $2), block_reason = $3, unblock_asked_at = NULL, entry = $4 WHERE id = $1

-- name: ask_unblock
-- A found key is to come off the block list.
UPDATE key_key SET unblock_asked_at = $2, entry = $3 WHERE id = $1

-- name: unblock_key
-- It is off the block list.
UPDATE key_key SET blocked_at = NULL, block_reason = NULL, unblock_asked_at = NULL, entry = $2 WHERE id = $1

-- name: locks_of_system
-- All locks of a key system, with the cylinders they are.
SELECT lock.*, coalesce(lock.cylinder_id, cylinder.id) AS cylinder_id
FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
LEFT JOIN plant_cylinders AS cylinder
    ON cylinder.external_id = lock.external_id AND cylinder.vendor = system.vendor
WHERE lock.system_id = $1 ORDER BY lock.external_id

-- name: locks_version
-- Rises when any lock of the system or the plant's cylinders changed.
SELECT greatest(
    (SELECT max(entry) FROM key_lock WHERE system_id = $1), (SELECT max(entry) FROM plant_cylinders))

-- name: put_lock
-- A lock, new or changed.
INSERT INTO key_lock (system_id, external_id, marking, has_clock, clock_set_at, honours_limits, online_required,
    is_networked, hidden_rights, rights, programmed, family, firmware, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (system_id, external_id) DO UPDATE SET marking = excluded.marking, has_clock = excluded.has_clock,
    clock_set_at = excluded.clock_set_at, honours_limits = excluded.honours_limits,
    online_required = excluded.online_required, is_networked = excluded.is_networked,
    hidden_rights = excluded.hidden_rights, rights = excluded.rights, programmed = excluded.programmed,
    family = excluded.family, firmware = excluded.firmware, entry = excluded.entry

-- name: locks_of_cylinders
-- The locks of this system that are these cylinders.
SELECT cylinder.id AS cylinder_id, lock.external_id, lock.family, lock.firmware
FROM plant_cylinders AS cylinder
JOIN key_system AS system ON system.id = $1 AND system.vendor = cylinder.vendor
JOIN key_lock AS lock ON lock.system_id = system.id AND lock.external_id = cylinder.external_id
WHERE cylinder.id = ANY($2::uuid[])

-- name: locks_of_grants
-- The locks of this system that these grants cover.
SELECT part.grant_id, lock.external_id
FROM grant_covers AS part JOIN plant_cylinders AS cylinder ON cylinder.id = part.cylinder_id
JOIN key_system AS system ON system.id = $1 AND system.vendor = cylinder.vendor
JOIN key_lock AS lock ON lock.system_id = system.id AND lock.external_id = cylinder.external_id
WHERE part.grant_id = ANY($2::uuid[])

-- name: rights_of_system
-- All rights of a key system.
SELECT * FROM key_right WHERE system_id = $1 ORDER BY external_id

-- name: rights_version
-- Rises when any right of the system changed.
SELECT max(entry) FROM key_right WHERE system_id = $1

-- name: put_right
-- A right, new or changed.
INSERT INTO key_right (system_id, external_id, name, locks, writable, entry) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (system_id, external_id) DO UPDATE SET name = excluded.name, locks = excluded.locks,
    writable = excluded.writable, entry = excluded.entry

-- name: holder_at
-- Who had a key at an instant, as known now.
SELECT person_id FROM key_custody WHERE key_id = $1 AND upper_inf(known) AND during @> $2::timestamptz

-- name: keys_of_person
-- The keys a person had at an instant, as known now.
SELECT key.* FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
WHERE custody.person_id = $1 AND upper_inf(custody.known) AND custody.during @> $2::timestamptz ORDER BY key.stamp

-- name: keys_out
-- All keys that are out at an instant.
SELECT key.*, custody.person_id, lower(custody.during) AS since
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
WHERE upper_inf(custody.known) AND custody.during @> $1::timestamptz ORDER BY lower(custody.during), key.stamp

-- name: keys_to_mark
-- The keys that these people have.
SELECT key_id AS id, person_id FROM key_custody
WHERE person_id = ANY($1::uuid[]) AND upper_inf(known) AND during @> $2::timestamptz

-- name: keys_beside
-- The other keys of whoever has one of these.
SELECT other.key_id AS id FROM key_custody AS custody
JOIN key_custody AS other ON other.person_id = custody.person_id AND other.key_id <> custody.key_id
WHERE custody.key_id = ANY($1::uuid[]) AND upper_inf(custody.known) AND custody.during @> $2::timestamptz
  AND upper_inf(other.known) AND other.during @> $2::timestamptz

-- name: find_target
-- The target of a key.
SELECT * FROM key_target WHERE key_id = $1

-- name: list_targets
-- Targets that are not where they should be.
SELECT target.*, key.stamp FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
WHERE target.delivered_at IS NULL OR target.problem IS NOT NULL ORDER BY target.asked_at DESC LIMIT $1

-- name: insert_target
-- A key's target, empty at first.
INSERT INTO key_target (id, system_id, key_id, generation, desired, grants, cannot, asked_at, entry)
VALUES ($1, $2, $3, 0, $4, '{}', '{}', $5, $6)

-- name: set_desired
-- What the key should have.
UPDATE key_target SET generation = $2, desired = $3, block = $4, grants = $5, cannot = $6, asked_at = $7,
    accepted_at = $8, delivered_at = $9, block_ordered_at = CASE WHEN $4 THEN block_ordered_at END, entry = $10
WHERE id = $1 RETURNING *

-- name: set_accepted
-- The vendor accepted the order; what was read before it says nothing about how far it is.
UPDATE key_target SET accepted_at = coalesce(accepted_at, $2),
    reading = jsonb_set(coalesce(reading, '{}'), '{state}', '"ordered"'), entry = $3 WHERE id = $1
RETURNING *

-- name: set_block_ordered
-- The vendor accepted the order of the block list; that says nothing about any program.
UPDATE key_target SET block_ordered_at = coalesce(block_ordered_at, $2), accepted_at = coalesce(accepted_at, $2),
    entry = $3 WHERE id = $1

-- name: set_reading
-- What the vendor said last.
UPDATE key_target SET reading = $2, read_at = $3, delivered_at = $4,
    accepted_at = CASE WHEN $4::timestamptz IS NULL THEN accepted_at ELSE coalesce(accepted_at, $4) END, entry = $5
WHERE id = $1 RETURNING *

-- name: set_problem
-- Why a target is stuck.
UPDATE key_target SET problem = $2, entry = $3 WHERE id = $1

-- name: insert_program
-- A program that may be on the key from now on.
INSERT INTO key_program (id, key_id, program, origin, grants, written_at, proven_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: programs_on
-- The programs that may be on a key, oldest first.
SELECT * FROM key_program WHERE key_id = $1 AND gone_at IS NULL ORDER BY number

-- name: set_ordered
-- The order for the newest program was accepted. Ordered again, it counts from then: the order before it did not stand.
UPDATE key_program SET ordered_at = $2, entry = $3
WHERE id = (SELECT id FROM key_program WHERE key_id = $1 AND gone_at IS NULL ORDER BY number DESC LIMIT 1)

-- name: unfetched_program
-- Whether the newest ordered program was not seen on its way yet.
SELECT true FROM key_program WHERE key_id = $1 AND gone_at IS NULL AND ordered_at IS NOT NULL
    AND fetched_at IS NULL AND proven_at IS NULL

-- name: set_fetched
-- The device took the newest ordered program.
UPDATE key_program SET fetched_at = $2, entry = $3
WHERE key_id = $1 AND gone_at IS NULL AND ordered_at IS NOT NULL AND fetched_at IS NULL AND proven_at IS NULL

-- name: set_proven
-- The device acknowledged this program.
UPDATE key_program SET proven_at = $2, entry = $3 WHERE id = $1

-- name: set_gone
-- These programs are no longer on the key.
UPDATE key_program SET gone_at = $2, entry = $3 WHERE id = ANY($1::uuid[])

-- name: make_work
-- Work on a new target, due at once.
INSERT INTO key_work (target_id, next_at, lane) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: mark_work
-- Make a target due.
INSERT INTO key_work (target_id, next_at, lane) VALUES ($1, $2, $3)
ON CONFLICT (target_id) DO UPDATE SET next_at = least(key_work.next_at, excluded.next_at),
    lane = least(key_work.lane, excluded.lane), marks = key_work.marks + 1

-- name: claim_work
-- The most urgent due target that nobody works on, or whose worker stalled, or which we ourselves broke off. Mine now:
-- every new holder raises the fence.
WITH due AS (
    SELECT work.target_id, work.leased_until, target.key_id
    FROM key_work AS work JOIN key_target AS target ON target.id = work.target_id
    WHERE target.system_id = $1 AND work.next_at <= $2::timestamptz AND work.lane <= $5
      AND (work.leased_until IS NULL OR work.leased_until < $3::timestamptz OR work.leased_by = $4::text)
    ORDER BY work.lane, work.next_at, work.target_id LIMIT 1 FOR UPDATE OF work SKIP LOCKED
), mine AS (
    UPDATE key_work AS work SET leased_until = $6, leased_by = $4, fence = work.fence + 1
    FROM due WHERE work.target_id = due.target_id
    RETURNING work.target_id, work.fence, work.marks, work.failures, work.lane, due.leased_until, due.key_id
)
SELECT key.*, mine.target_id, mine.fence, mine.marks, mine.failures, mine.lane, mine.leased_until
FROM mine JOIN key_key AS key ON key.id = mine.key_id

-- name: renew_lease
-- Still mine, for as long as the next call may take; and what a write depends on as it is now.
UPDATE key_work AS work SET leased_until = $3
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
JOIN key_system AS system ON system.id = target.system_id
WHERE work.target_id = $1 AND work.fence = $2 AND target.id = work.target_id
RETURNING system.writes, key.blocked_at IS NOT NULL AS blocked

-- name: release_work
-- Done for now; a mark that came meanwhile keeps the target due.
UPDATE key_work SET leased_until = NULL, leased_by = NULL, failures = $4,
    lane = CASE WHEN marks = $5 THEN $6 ELSE lane END,
    next_at = CASE WHEN marks = $5 THEN $3 ELSE least(next_at, $3) END
WHERE target_id = $1 AND fence = $2

-- name: note_read
-- The key was read, whatever it said. Returns whether a write without known outcome may still be under way.
UPDATE key_work SET read_at = $2 WHERE target_id = $1
RETURNING EXISTS (SELECT 1 FROM key_call WHERE target_id = $1 AND finished_at IS NULL AND started_at > $3)

-- name: about_openers
-- What the answers for a key rest on besides its programs: when it was read, who has it, how new the map of the locks is,
-- and whether there are answers now.
SELECT
    (SELECT work.read_at FROM key_target AS target JOIN key_work AS work ON work.target_id = target.id
     WHERE target.key_id = $1) AS read_at,
    (SELECT person_id FROM key_custody WHERE key_id = $1 AND upper_inf(known) AND during @> $3::timestamptz) AS holder,
    greatest((SELECT max(entry) FROM key_lock WHERE system_id = $2), (SELECT max(entry) FROM plant_cylinders)) AS version,
    EXISTS (SELECT 1 FROM key_may_open WHERE key_id = $1 AND gone_at = 'infinity') AS answered

-- name: about_plan
-- What the plan of a key begins with: who has it, what it keeps, and since when it is reported lost or broken.
SELECT
    (SELECT person_id FROM key_custody WHERE key_id = $1 AND upper_inf(known) AND during @> $2::timestamptz) AS holder,
    (SELECT program FROM key_kept WHERE key_id = $1) AS kept,
    (SELECT told_at FROM key_report WHERE key_id = $1 AND ended_at IS NULL) AS told_at

-- name: next_work
-- When the next target of a key system is due, of these lanes.
SELECT min(work.next_at) FROM key_work AS work JOIN key_target AS target ON target.id = work.target_id
WHERE target.system_id = $1 AND work.leased_until IS NULL AND work.lane <= $2

-- name: insert_call
-- The intent, before the call.
INSERT INTO key_call (id, target_id, fence, operation, started_at) VALUES ($1, $2, $3, $4, $5)

-- name: finish_call
-- How the call ended.
UPDATE key_call SET finished_at = $2, outcome = $3 WHERE id = $1

-- name: openers_of_key
-- The present answers for one key.
SELECT * FROM key_may_open WHERE key_id = $1 AND gone_at = 'infinity'

-- name: close_openers
-- Answers that no longer hold.
UPDATE key_may_open SET gone_at = $3, entry = $4
WHERE key_id = $1 AND cylinder_id = ANY($2::uuid[]) AND gone_at = 'infinity'

-- name: insert_opener
-- An answer that holds from now on.
INSERT INTO key_may_open (cylinder_id, key_id, since, person_id, grant_id, basis, allowed_until, kind, exposed_until, entry,
    works_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (cylinder_id, key_id, since) DO UPDATE SET gone_at = 'infinity', person_id = excluded.person_id,
    grant_id = excluded.grant_id, basis = excluded.basis, allowed_until = excluded.allowed_until,
    kind = excluded.kind, exposed_until = excluded.exposed_until, entry = excluded.entry,
    works_until = excluded.works_until

-- name: may_open
-- Keys that could open a cylinder at an instant. Rows that were gone by then are not touched.
SELECT opener.*, key.stamp FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
WHERE opener.cylinder_id = $1 AND opener.gone_at > $2 AND opener.since <= $2 AND opener.exposed_until > $2
ORDER BY key.stamp

-- name: exposed_keys
-- Keys with an answer that is not over by an instant, worst first, for the console.
SELECT opener.key_id, key.stamp, max(opener.person_id::text)::uuid AS person_id, count(*) AS cylinders,
    max(opener.exposed_until) AS until
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
WHERE opener.gone_at = 'infinity' AND opener.kind IN ('bound', 'no_bound') AND opener.exposed_until > $1
GROUP BY opener.key_id, key.stamp ORDER BY max(opener.exposed_until) DESC, key.stamp LIMIT $2

-- name: cursor_of
-- Where the log of a key system was read up to.
SELECT cursor FROM key_cursor WHERE system_id = $1

-- name: put_cursor
-- Where the log of a key system was read up to.
INSERT INTO key_cursor (system_id, cursor, pulled_at) VALUES ($1, $2, $3)
ON CONFLICT (system_id) DO UPDATE SET cursor = excluded.cursor, pulled_at = excluded.pulled_at

-- name: load_session
-- The vendor session a successor may have to end.
SELECT sealed, base_url, opened_at FROM key_session WHERE system_id = $1 AND worker = $2

-- name: save_session
-- Kept before it is used for anything else.
INSERT INTO key_session (system_id, worker, sealed, base_url, opened_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (system_id, worker) DO UPDATE SET sealed = excluded.sealed, base_url = excluded.base_url,
    opened_at = excluded.opened_at

-- name: clear_session
-- The vendor ended it.
DELETE FROM key_session WHERE system_id = $1 AND worker = $2

-- name: other_sessions
-- Workers that left a session at this key system.
SELECT worker FROM key_session WHERE system_id = $1 AND worker <> $2 ORDER BY worker

-- name: known_events
-- Which of these rows were stored before.
SELECT vendor_event_id FROM key_event WHERE system_id = $1 AND vendor_event_id = ANY($2::text[])

-- name: vendor_keys
-- The keys of a system by the vendor's ids.
SELECT * FROM key_key WHERE system_id = $1 AND external_id = ANY($2::text[])

-- name: keys_by_id
-- Keys by id.
SELECT * FROM key_key WHERE id = ANY($1::uuid[])

-- name: cylinders_of_locks
-- The cylinders that locks of this system are.
SELECT cylinder.external_id, cylinder.id
FROM plant_cylinders AS cylinder JOIN key_system AS system ON system.vendor = cylinder.vendor
WHERE system.id = $1 AND cylinder.external_id = ANY($2::text[])

-- name: were_possible
-- Whether each key could open a cylinder at an instant, as the projection said.
SELECT EXISTS (
    SELECT FROM key_may_open AS opener WHERE opener.cylinder_id = asked.cylinder_id AND opener.key_id = asked.key_id
    AND opener.since <= asked.at AND opener.gone_at > asked.at AND opener.exposed_until > asked.at) AS possible
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS asked (key_id, cylinder_id, at, place)
ORDER BY asked.place

-- name: events_to_class_again
-- Recent rows of these keys or holders, whose class may change now that more is known.
SELECT * FROM key_event WHERE arrived_at > $3 AND outcome = 'opened'
  AND (key_id = ANY($1::uuid[]) OR person_id = ANY($2::uuid[])
       OR (person_id IS NULL AND key_id IN (SELECT key_id FROM key_custody WHERE person_id = ANY($2::uuid[]))))
ORDER BY occurred_at DESC LIMIT 2000

-- name: set_classes
-- Rows classed again.
UPDATE key_event AS event SET class = moved.class, why = moved.why, person_id = moved.person_id,
    grant_id = moved.grant_id, certainty = moved.certainty, crew_size = moved.crew_size, entry = moved.entry
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::int[], $8::bigint[])
    AS moved (id, why, class, grant_id, person_id, certainty, crew_size, entry)
WHERE event.id = moved.id

-- name: recent_events
-- The newest rows, of everything or of one key or cylinder.
SELECT * FROM key_event WHERE ($1::uuid IS NULL OR key_id = $1) AND ($2::uuid IS NULL OR cylinder_id = $2)
  AND ($3::text[] IS NULL OR class = ANY($3::text[]))
ORDER BY coalesce(occurred_at, arrived_at) DESC, id LIMIT $4

-- name: keys_without_target
-- Keys that were listed and never read.
SELECT key.id FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id
WHERE target.id IS NULL AND NOT key.deleted
