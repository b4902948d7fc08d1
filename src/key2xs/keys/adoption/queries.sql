-- Statements about adoption: what keys keep, runs, the brake, reports.

-- name: kept_of
-- What an adopted key keeps.
SELECT program FROM key_kept WHERE key_id = $1

-- name: put_kept
-- What an adopted key keeps from now on.
INSERT INTO key_kept (key_id, program, seen, entry) VALUES ($1, $2, $2, $3)
ON CONFLICT (key_id) DO UPDATE SET program = excluded.program, entry = excluded.entry

-- name: put_followed
-- What an adopted key keeps after somebody changed it elsewhere.
INSERT INTO key_kept (key_id, program, seen, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (key_id) DO UPDATE SET program = excluded.program, seen = excluded.seen, entry = excluded.entry

-- name: seen_of
-- The vendor's plan of an adopted key when it was taken up or followed last.
SELECT seen FROM key_kept WHERE key_id = $1

-- name: take_up_right
-- A right that a key has from before.
INSERT INTO key_standing (key_id, right_id, since, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (key_id, right_id, since) DO UPDATE SET ended_at = NULL, why = NULL, entry = excluded.entry

-- name: end_rights
-- Standing rights of a key that ended.
UPDATE key_standing SET ended_at = $3, why = $4, entry = $5
WHERE key_id = $1 AND right_id = ANY($2::text[]) AND ended_at IS NULL

-- name: standing_of_key
-- All rights that a key has or had from before.
SELECT right_id, since, ended_at, why FROM key_standing WHERE key_id = $1 ORDER BY right_id, since

-- name: places_version
-- Rises when a cylinder's place or a zone's mode changes.
SELECT version FROM plant_places_version

-- name: locks_of_zones
-- The locks of a key system with the zone and mode they lie in.
SELECT place.external_id, place.zone_id, place.mode
FROM plant_places AS place JOIN key_system AS system ON system.vendor = place.vendor WHERE system.id = $1

-- name: adoptable
-- Keys with what was read of them last, in order.
SELECT key.id, key.stamp, key.external_id, key.kind, key.emergency, key.deleted, key.adopted_at, key.blocked_at,
    key.system_id, target.id AS target_id, target.reading, target.generation
FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id
WHERE key.id = ANY($1::uuid[]) ORDER BY key.id

-- name: adopt
-- From now on these keys may be written.
UPDATE key_key AS key SET adopted_at = $2, adopt_when_empty = false, entry = batch.entry
FROM unnest($1::uuid[], $3::bigint[]) AS batch (id, entry) WHERE key.id = batch.id

-- name: want_what_is_there
-- What is wanted on these keys is what they hold.
UPDATE key_target AS target SET desired = batch.program, grants = '{}', cannot = '{}',
    generation = target.generation + 1, asked_at = $4, accepted_at = $4, delivered_at = $4, entry = batch.entry
FROM unnest($1::uuid[], $2::jsonb[], $3::bigint[]) AS batch (key_id, program, entry)
WHERE target.key_id = batch.key_id

-- name: keep_many
-- What these keys keep.
INSERT INTO key_kept (key_id, program, seen, entry)
SELECT key_id, program, program, entry FROM unnest($1::uuid[], $2::jsonb[], $3::bigint[]) AS batch (key_id, program, entry)
ON CONFLICT (key_id) DO UPDATE SET program = excluded.program, seen = excluded.seen, entry = excluded.entry

-- name: take_up_many
-- Rights that these keys have from before.
INSERT INTO key_standing (key_id, right_id, since, entry)
SELECT key_id, right_id, $4, entry FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS batch (key_id, right_id, entry)
ON CONFLICT (key_id, right_id, since) DO NOTHING

-- name: adopt_when_empty
-- Adopt the key as soon as a reading shows that it carries nothing.
UPDATE key_key SET adopt_when_empty = $2, entry = $3 WHERE id = $1

-- name: is_waiting_to_be_adopted
-- Whether a key was handed out before it was read.
SELECT adopt_when_empty FROM key_key WHERE id = $1

-- name: keys_keeping_enforced
-- Keys that keep rights which open one of these locks.
SELECT DISTINCT standing.key_id
FROM key_right AS vendor_right JOIN key_standing AS standing
    ON standing.right_id = vendor_right.external_id AND standing.ended_at IS NULL
JOIN key_key AS key ON key.id = standing.key_id AND key.system_id = vendor_right.system_id AND NOT key.emergency
WHERE vendor_right.system_id = $1 AND vendor_right.locks && $2::text[]

-- name: kept_of_many
-- What these keys keep, with their names.
SELECT key.id, key.stamp, key.external_id, kept.program, key.system_id
FROM key_kept AS kept JOIN key_key AS key ON key.id = kept.key_id
WHERE key.id = ANY($1::uuid[]) AND NOT key.deleted AND key.blocked_at IS NULL ORDER BY key.stamp, key.id

-- name: switch_writes
-- Whether this connection may write.
UPDATE key_system SET writes = $2, writes_at = $3, writes_reason = $4, entry = $5 WHERE id = $1

-- name: may_write
-- Whether this connection may write.
SELECT writes FROM key_system WHERE id = $1

-- name: connections
-- All connections with what they may do and what stopped them.
SELECT system.id, system.name, system.vendor, system.writes, system.writes_at, system.writes_reason,
    system.inventory_at, brake.stopped_at, brake.why,
    (SELECT count(*) FROM key_key AS key WHERE key.system_id = system.id AND NOT key.deleted) AS keys,
    (SELECT count(*) FROM key_key AS key WHERE key.system_id = system.id AND NOT key.deleted
        AND key.adopted_at IS NOT NULL) AS adopted
FROM key_system AS system LEFT JOIN key_brake AS brake ON brake.system_id = system.id ORDER BY system.name

-- name: mark_system
-- Every key of a system is looked at again.
UPDATE key_work AS work SET next_at = least(work.next_at, $2), marks = work.marks + 1
FROM key_target AS target WHERE target.id = work.target_id AND target.system_id = $1 AND target.problem IS NOT NULL

-- name: rights_version
-- Rises with every change of the system's rights.
SELECT max(entry) FROM key_right WHERE system_id = $1

-- name: newest_origin
-- Whose program is the newest that may be on a key.
SELECT origin FROM key_program WHERE key_id = $1 AND gone_at IS NULL ORDER BY number DESC LIMIT 1

-- name: our_programs
-- Everything that we ever wrote to a key.
SELECT DISTINCT program FROM key_program WHERE key_id = $1 AND origin = 'ours'

-- name: grants_on
-- Whether grants are wanted on a key.
SELECT true FROM key_target WHERE key_id = $1 AND grants <> '{}'

-- name: brake_of
-- How the brake of a key system stands.
SELECT * FROM key_brake WHERE system_id = $1

-- name: count_bulk
-- How many keys were written in bulk lately beside what was agreed, how many of what was agreed, and whether this one was.
SELECT count(DISTINCT key_id) FILTER (WHERE NOT covered AND at > $2) AS recent,
    count(DISTINCT key_id) FILTER (WHERE covered AND at >= $5) AS agreed,
    coalesce(bool_or(key_id = $4 AND at > $2), false) AS known
FROM key_bulk_write WHERE system_id = $1 AND at <= $3 AND at > least($2, coalesce($5::timestamptz, $2) - interval '1 microsecond')

-- name: note_bulk
-- One more.
INSERT INTO key_bulk_write (system_id, key_id, at, covered) VALUES ($1, $2, $3, $4)

-- name: agreed_used
-- How much of what was agreed was used.
SELECT count(DISTINCT key_id) FROM key_bulk_write WHERE system_id = $1 AND covered AND at >= $2

-- name: stop_bulk
-- Bulk writes stop.
INSERT INTO key_brake (system_id, stopped_at, why, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (system_id) DO UPDATE SET stopped_at = excluded.stopped_at, why = excluded.why, entry = excluded.entry

-- name: allow_bulk
-- So many keys may be written in bulk.
INSERT INTO key_brake (system_id, allowed, allowed_from, allowed_until, entry) VALUES ($1, $2, $3, $4, $6)
ON CONFLICT (system_id) DO UPDATE SET allowed = excluded.allowed, allowed_from = excluded.allowed_from,
    allowed_until = excluded.allowed_until, entry = excluded.entry,
    stopped_at = CASE WHEN $5 THEN NULL ELSE key_brake.stopped_at END,
    why = CASE WHEN $5 THEN NULL ELSE key_brake.why END

-- name: grants_sent
-- The grants of the newest program of ours that was sent on its way.
SELECT grants FROM key_program WHERE key_id = $1 AND origin = 'ours' AND (ordered_at IS NOT NULL OR proven_at IS NOT NULL)
ORDER BY number DESC LIMIT 1

-- name: ended_by_person
-- Whether standing rights that somebody ended are still on the key by what was read last.
SELECT true FROM key_standing AS standing JOIN key_target AS target ON target.key_id = standing.key_id
WHERE standing.key_id = $1 AND standing.why = 'revoked'
  AND coalesce(target.reading #> '{planned,rights}', '[]'::jsonb) ? standing.right_id LIMIT 1

-- name: run_scope
-- The keys that a run adopts.
SELECT key.id FROM key_key AS key
WHERE key.system_id = $1 AND NOT key.deleted AND NOT key.emergency AND key.adopted_at IS NULL
  AND ($2::uuid IS NULL OR EXISTS (
    SELECT 1 FROM key_may_open AS opener JOIN plant_places AS place ON place.cylinder_id = opener.cylinder_id
    WHERE opener.key_id = key.id AND opener.gone_at = 'infinity' AND place.zone_id = $2))
ORDER BY key.id

-- name: run_under_way
-- Whether a run of this system is not over.
SELECT true FROM key_adoption_run WHERE system_id = $1 AND state <> 'done'

-- name: insert_run
-- A run begins.
INSERT INTO key_adoption_run (id, system_id, zone_id, reason, started_by, confirmed_by, started_at, state, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8)

-- name: insert_items
-- The keys of a run.
INSERT INTO key_adoption_item (run_id, key_id, outcome, entry) SELECT $1, key_id, 'waiting', $3
FROM unnest($2::uuid[]) AS keys (key_id)

-- name: lock_run
-- A run, for whoever takes it further.
SELECT * FROM key_adoption_run WHERE id = $1 FOR UPDATE

-- name: next_items
-- The next keys of a run.
SELECT key_id FROM key_adoption_item
WHERE run_id = $1 AND outcome = 'waiting' AND (again_at IS NULL OR again_at <= $2::timestamptz)
ORDER BY key_id LIMIT $3

-- name: set_items
-- What became of keys of a run.
UPDATE key_adoption_item AS item SET outcome = batch.outcome, why = batch.why, entry = $6,
    again_at = CASE WHEN batch.outcome = 'waiting' THEN $5::timestamptz END
FROM unnest($2::uuid[], $3::text[], $4::text[]) AS batch (key_id, outcome, why)
WHERE item.run_id = $1 AND item.key_id = batch.key_id

-- name: any_waiting
-- Whether any key of a run waits.
SELECT true FROM key_adoption_item WHERE run_id = $1 AND outcome = 'waiting' LIMIT 1

-- name: items_due
-- When the next key of a run is to be tried.
SELECT min(again_at) FROM key_adoption_item WHERE run_id = $1 AND outcome = 'waiting'

-- name: set_run
-- A run is paused, goes on, or is over.
UPDATE key_adoption_run SET state = $2, finished_at = $3, entry = $4 WHERE id = $1

-- name: running
-- Runs to take further.
SELECT id FROM key_adoption_run WHERE state = 'running' ORDER BY started_at

-- name: list_runs
-- Runs with how far they are, the newest first.
SELECT run.id, run.system_id, system.name AS system, run.zone_id,
    (SELECT zone FROM plant_places WHERE zone_id = run.zone_id LIMIT 1) AS zone, run.reason, run.state, run.started_at,
    run.finished_at, count(item.key_id)::int AS keys,
    count(*) FILTER (WHERE item.outcome = 'adopted')::int AS adopted,
    count(*) FILTER (WHERE item.outcome = 'already')::int AS already,
    count(*) FILTER (WHERE item.outcome = 'left')::int AS left,
    count(*) FILTER (WHERE item.outcome = 'waiting')::int AS waiting
FROM key_adoption_run AS run JOIN key_system AS system ON system.id = run.system_id
LEFT JOIN key_adoption_item AS item ON item.run_id = run.id
GROUP BY run.id, system.name ORDER BY run.started_at DESC, run.id LIMIT $1

-- name: left_keys
-- Keys that a run has not adopted, and why.
SELECT item.key_id, key.stamp, item.why, item.outcome = 'waiting' AS waiting
FROM key_adoption_item AS item JOIN key_key AS key ON key.id = item.key_id
WHERE item.run_id = $1 AND item.outcome IN ('left', 'waiting') AND item.why IS NOT NULL ORDER BY key.stamp LIMIT $2

-- name: share
-- Pairs of key and lock that open, by why.
SELECT count(*) FILTER (WHERE basis = 'standing')::int AS standing,
    count(*) FILTER (WHERE grant_id IS NOT NULL)::int AS just_in_time,
    count(*) FILTER (WHERE grant_id IS NULL AND basis IS DISTINCT FROM 'standing')::int AS other
FROM key_may_open WHERE gone_at = 'infinity' AND exposed_until > $1

-- name: share_by_zone
-- The same in each zone.
SELECT place.zone_id, place.zone, place.mode, count(DISTINCT opener.key_id)::int AS keys,
    count(*) FILTER (WHERE opener.basis = 'standing')::int AS standing,
    count(*) FILTER (WHERE opener.grant_id IS NOT NULL)::int AS just_in_time,
    count(*) FILTER (WHERE opener.grant_id IS NULL AND opener.basis IS DISTINCT FROM 'standing')::int AS other
FROM key_may_open AS opener JOIN plant_places AS place ON place.cylinder_id = opener.cylinder_id
WHERE opener.gone_at = 'infinity' AND opener.exposed_until > $1
GROUP BY place.zone_id, place.zone, place.mode ORDER BY place.zone

-- name: standing_by_key
-- Keys that open most by rights from before.
SELECT key.id AS key_id, key.stamp, max(opener.person_id::text)::uuid AS person_id, key.adopted_at IS NOT NULL AS adopted,
    count(*)::int AS locks
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
WHERE opener.gone_at = 'infinity' AND opener.exposed_until > $1 AND opener.basis = 'standing'
GROUP BY key.id ORDER BY count(*) DESC, key.stamp LIMIT $2

-- name: standing_by_person
-- People whose keys open most by rights from before.
SELECT opener.person_id, count(DISTINCT opener.key_id)::int AS keys, count(DISTINCT opener.cylinder_id)::int AS locks
FROM key_may_open AS opener
WHERE opener.gone_at = 'infinity' AND opener.exposed_until > $1 AND opener.basis = 'standing'
  AND opener.person_id IS NOT NULL
GROUP BY opener.person_id ORDER BY count(DISTINCT opener.cylinder_id) DESC, opener.person_id LIMIT $2

-- name: kept_when
-- Whether each key kept a right that opens a cylinder at an instant, and when the last such right had ended by then.
SELECT right_kept.kept, right_kept.ended_at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS asked (key_id, cylinder_id, at, place)
CROSS JOIN LATERAL (
    SELECT bool_or(standing.since <= asked.at AND (standing.ended_at IS NULL OR standing.ended_at > asked.at)) AS kept,
        max(standing.ended_at) FILTER (WHERE standing.ended_at <= asked.at) AS ended_at
    FROM key_standing AS standing JOIN key_key AS key ON key.id = standing.key_id
    JOIN key_right AS vendor_right
        ON vendor_right.system_id = key.system_id AND vendor_right.external_id = standing.right_id
    JOIN key_system AS system ON system.id = key.system_id
    JOIN plant_cylinders AS cylinder
        ON cylinder.vendor = system.vendor AND cylinder.external_id = ANY(vendor_right.locks)
    WHERE standing.key_id = asked.key_id AND cylinder.id = asked.cylinder_id) AS right_kept
ORDER BY asked.place

-- name: report_counts
-- How much there is, and how old it is.
SELECT (SELECT min(inventory_at) FROM key_system) AS as_of,
    count(*) FILTER (WHERE NOT key.deleted)::int AS keys,
    count(*) FILTER (WHERE NOT key.deleted AND key.adopted_at IS NOT NULL)::int AS adopted,
    count(*) FILTER (WHERE NOT key.deleted AND key.emergency)::int AS emergency,
    (SELECT count(*) FROM key_lock)::int AS locks, (SELECT count(*) FROM key_right)::int AS rights,
    count(*) FILTER (WHERE NOT key.deleted AND target.reading IS NULL)::int AS unread,
    (SELECT min(occurred_at) FROM key_event WHERE outcome = 'opened') AS openings_since
FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id

-- name: holders
-- Every key that somebody was handed, with how many locks it opens; no number where nobody can say.
SELECT key.stamp AS key, system.name AS system, custody.person_id, lower(custody.during) AS since,
    CASE WHEN target.reading -> 'outside_visible' = 'true' THEN
        (SELECT count(*) FROM key_may_open WHERE key_id = key.id AND gone_at = 'infinity')::int END AS locks
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
JOIN key_system AS system ON system.id = key.system_id LEFT JOIN key_target AS target ON target.key_id = key.id
WHERE upper_inf(custody.known) AND custody.during @> $1::timestamptz AND NOT key.deleted ORDER BY key.stamp, system.name

-- name: without_holder
-- Keys in use that nobody was handed, as far as we know; no number of locks where nobody can say.
SELECT key.stamp AS key, system.name AS system, key.kind, key.vendor_held AS vendor_says_out,
    key.adopted_at IS NOT NULL AS adopted,
    CASE WHEN target.reading -> 'outside_visible' = 'true' THEN coalesce(opens.locks, 0)::int END AS locks
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
LEFT JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN (SELECT key_id, count(*) AS locks FROM key_may_open WHERE gone_at = 'infinity' GROUP BY key_id) AS opens
    ON opens.key_id = key.id
WHERE NOT key.deleted AND NOT EXISTS (
    SELECT 1 FROM key_custody AS custody WHERE custody.key_id = key.id AND upper_inf(custody.known)
      AND custody.during @> $1::timestamptz)
ORDER BY coalesce(opens.locks, 0) DESC, key.stamp, system.name

-- name: carried_rights
-- Which rights each key carries by what was read last.
SELECT key.id AS key_id, key.system_id, system.name AS system, jsonb_array_elements_text(target.reading #> '{planned,rights}') AS right_id
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id JOIN key_system AS system ON system.id = key.system_id
WHERE NOT key.deleted AND jsonb_typeof(target.reading #> '{planned,rights}') = 'array'

-- name: all_rights
-- All rights with their locks.
SELECT system_id, external_id AS right_id, name, locks FROM key_right

-- name: last_openings
-- When each key last opened each lock.
SELECT key_id, lock_external_id AS lock, max(coalesce(occurred_at, arrived_at)) AS at
FROM key_event WHERE outcome = 'opened' AND key_id IS NOT NULL GROUP BY key_id, lock_external_id

-- name: locks_unmapped
-- Locks that a key system lists and no plant register knows.
SELECT lock.marking AS lock, system.name AS system, lock.external_id AS vendor_id
FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
WHERE NOT EXISTS (SELECT 1 FROM plant_cylinders AS cylinder
    WHERE cylinder.vendor = system.vendor AND cylinder.external_id = lock.external_id)
ORDER BY system.name, lock.marking

-- name: cylinders_unlisted
-- Cylinders of the plant register that no connected key system lists.
SELECT place.marking AS lock, place.zone, place.area, place.external_id AS vendor_id
FROM plant_places AS place
WHERE NOT EXISTS (SELECT 1 FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
    WHERE system.vendor = place.vendor AND lock.external_id = place.external_id)
ORDER BY place.area, place.marking

-- name: no_bound
-- Keys of which nobody can say until when they open, and why; no number of locks where nobody can say what they open.
SELECT key.stamp AS key, system.name AS system, key.kind, max(opener.person_id::text) AS holder,
    CASE WHEN seen.all_of_it THEN count(opener.cylinder_id)::int END AS locks,
    CASE WHEN target.reading IS NULL THEN 'it was not read yet'
        WHEN seen.all_of_it THEN 'nothing ends what it opens by itself'
        WHEN key.kind = 'normal' THEN 'what it opens is listed in the cylinders, and some of them our user there cannot see'
        ELSE 'it holds something that our user there cannot see' END AS why
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
LEFT JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN key_may_open AS opener ON opener.key_id = key.id AND opener.gone_at = 'infinity'
    AND opener.kind = 'no_bound' AND opener.exposed_until > $1
CROSS JOIN LATERAL (SELECT coalesce(target.reading -> 'outside_visible' = 'true', false) AS all_of_it) AS seen
WHERE NOT key.deleted AND (opener.key_id IS NOT NULL OR NOT seen.all_of_it)
GROUP BY key.id, system.name, target.reading IS NULL, seen.all_of_it
ORDER BY CASE WHEN seen.all_of_it THEN count(opener.cylinder_id) END DESC NULLS FIRST, key.stamp, system.name

-- name: stamps_twice
-- Stamps that stand on several keys.
SELECT min(key.stamp) AS key, string_agg(DISTINCT system.name, ', ' ORDER BY system.name) AS systems, count(*)::int AS keys
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
WHERE NOT key.deleted GROUP BY lower(key.stamp) HAVING count(*) > 1 ORDER BY min(key.stamp)

-- name: lock_visits
-- Each lock with whether a writable right is planned for it and programmed into it, by area; whether its list has to be
-- brought to it, and whether its system has keys that are listed in locks, and nobody can say in which.
WITH lists_keys AS MATERIALIZED (
    SELECT DISTINCT key.system_id FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id
    WHERE key.kind = 'normal' AND NOT key.deleted
      AND coalesce(target.reading -> 'outside_visible' <> 'true', true)
), to_bring AS MATERIALIZED (
    SELECT DISTINCT key.system_id, lock.external_id FROM key_key AS key
    JOIN key_target AS target ON target.key_id = key.id AND target.reading ? 'to_visit'
    CROSS JOIN LATERAL jsonb_array_elements_text(target.reading -> 'to_visit') AS lock (external_id)
    WHERE key.kind = 'normal' AND NOT key.deleted
)
SELECT lock.marking AS lock, system.name AS system, system.vendor, lock.external_id AS vendor_id, place.area,
    place.access_point, place.zone,
    EXISTS (SELECT 1 FROM key_right AS vendor_right WHERE vendor_right.system_id = lock.system_id AND vendor_right.writable
        AND vendor_right.external_id = ANY(lock.rights)) AS planned,
    CASE WHEN lock.programmed IS NOT NULL THEN EXISTS (SELECT 1 FROM key_right AS vendor_right
        WHERE vendor_right.system_id = lock.system_id AND vendor_right.writable
        AND vendor_right.external_id = ANY(lock.programmed)) END AS programmed,
    lists_keys.system_id IS NOT NULL AS lists_keys, to_bring.system_id IS NOT NULL AS to_bring
FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
LEFT JOIN lists_keys ON lists_keys.system_id = lock.system_id
LEFT JOIN to_bring ON to_bring.system_id = lock.system_id AND to_bring.external_id = lock.external_id
LEFT JOIN plant_places AS place ON place.vendor = system.vendor AND place.external_id = lock.external_id
ORDER BY place.area NULLS LAST, lock.marking

-- name: key_visits
-- Keys whose new program is accepted and not in them, or that need a person.
SELECT key.id AS key_id, key.stamp AS key, system.name AS system, key.kind, target.problem,
    coalesce(target.accepted_at, target.asked_at) AS since,
    (SELECT custody.person_id FROM key_custody AS custody WHERE custody.key_id = key.id AND upper_inf(custody.known)
        AND upper_inf(custody.during) LIMIT 1) AS person_id
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
JOIN key_system AS system ON system.id = key.system_id
WHERE key.adopted_at IS NOT NULL AND NOT key.deleted AND target.delivered_at IS NULL
  AND (target.accepted_at IS NOT NULL OR target.problem IS NOT NULL)
ORDER BY coalesce(target.accepted_at, target.asked_at), key.stamp

-- name: cylinder_tasks
-- Cylinders that a programming key must be put into.
SELECT coalesce(lock.marking, visit.lock_external_id) AS lock, place.area, place.access_point, key.stamp AS key, visit.state,
    visit.kind
FROM key_block_visit AS visit JOIN key_key AS key ON key.id = visit.key_id
JOIN key_system AS system ON system.id = visit.system_id
LEFT JOIN key_lock AS lock ON lock.system_id = visit.system_id AND lock.external_id = visit.lock_external_id
LEFT JOIN plant_places AS place ON place.vendor = system.vendor AND place.external_id = visit.lock_external_id
WHERE visit.state <> 'done' AND key.blocked_at IS NOT NULL
  AND (visit.kind = 'unblock') = (key.unblock_asked_at IS NOT NULL) ORDER BY place.area NULLS LAST, 1, key.stamp

-- name: markings
-- What is printed on the locks of a system.
SELECT external_id AS lock, marking FROM key_lock WHERE system_id = $1

-- name: not_adopted_in_zone
-- Keys that open something in a zone and were not adopted.
SELECT key.stamp FROM key_key AS key
WHERE key.adopted_at IS NULL AND NOT key.deleted AND NOT key.emergency AND EXISTS (
    SELECT 1 FROM key_may_open AS opener JOIN plant_places AS place ON place.cylinder_id = opener.cylinder_id
    WHERE opener.key_id = key.id AND opener.gone_at = 'infinity' AND place.zone_id = $1)
ORDER BY key.stamp

-- name: keep_difference
-- What somebody was shown.
INSERT INTO key_first_difference (id, zone_id, mode, at, digest, lines, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: shown_difference
-- What somebody was shown.
SELECT lines FROM key_first_difference WHERE id = $1

-- name: zone_readiness
-- Each zone with what is known of its locks and of the keys that open there. A lock counts once, however many systems of
-- its make are connected.
WITH lists_keys AS MATERIALIZED (
    SELECT DISTINCT key.system_id FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id
    WHERE key.kind = 'normal' AND NOT key.deleted
      AND coalesce(target.reading -> 'outside_visible' <> 'true', true)
), known AS MATERIALIZED (
    SELECT DISTINCT ON (system.vendor, lock.external_id) system.vendor, lock.external_id,
        CASE WHEN system.vendor = 'cliq' THEN lists_keys.system_id IS NULL
            ELSE EXISTS (SELECT 1 FROM key_right AS vendor_right WHERE vendor_right.system_id = lock.system_id
                AND vendor_right.writable AND vendor_right.external_id = ANY(coalesce(lock.programmed, lock.rights)))
            END AS ready
    FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
    LEFT JOIN lists_keys ON lists_keys.system_id = system.id ORDER BY system.vendor, lock.external_id, system.name
)
SELECT place.zone_id, place.zone, place.mode, count(*)::int AS cylinders, count(known.external_id)::int AS listed,
    count(*) FILTER (WHERE known.ready)::int AS ready
FROM plant_places AS place
LEFT JOIN known ON known.vendor = place.vendor AND known.external_id = place.external_id
GROUP BY place.zone_id, place.zone, place.mode ORDER BY place.zone

-- name: zone_keys
-- How many keys open something in each zone, how many of them are adopted, and where access was given just in time.
SELECT place.zone_id, count(DISTINCT key.id) FILTER (WHERE NOT key.emergency)::int AS keys,
    count(DISTINCT key.id) FILTER (WHERE NOT key.emergency AND key.adopted_at IS NOT NULL)::int AS adopted,
    count(DISTINCT opener.grant_id)::int AS grants
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id AND NOT key.deleted
JOIN plant_places AS place ON place.cylinder_id = opener.cylinder_id
WHERE opener.gone_at = 'infinity' AND opener.exposed_until > $1 GROUP BY place.zone_id

-- name: rollout
-- When the roll-out began and where.
SELECT starts_on, pilot_zones FROM key_rollout

-- name: put_rollout
-- When the roll-out begins and where.
INSERT INTO key_rollout (starts_on, pilot_zones, entry) VALUES ($1, $2, $3)
ON CONFLICT (one) DO UPDATE SET starts_on = excluded.starts_on, pilot_zones = excluded.pilot_zones, entry = excluded.entry
