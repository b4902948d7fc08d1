-- The key desk: hands, custodies, crews, reports, findings, due times.

-- name: spans_from
-- What is known of who had a key from an instant on, and just before it.
SELECT lower(during) AS starts, upper(during) AS ends, person_id, crew_id, due_at, source FROM key_custody
WHERE key_id = $1 AND upper_inf(known) AND (upper_inf(during) OR upper(during) >= $2) ORDER BY lower(during)

-- name: handlings_from
-- The words about a key from an instant on.
SELECT * FROM key_handling WHERE key_id = $1 AND at >= $2

-- name: last_handling
-- The newest word about a key.
SELECT * FROM key_handling WHERE key_id = $1 ORDER BY at DESC, (source = 'desk') DESC, mark DESC LIMIT 1

-- name: find_handling
-- One word.
SELECT * FROM key_handling WHERE id = $1

-- name: insert_handling
-- A word about a key.
INSERT INTO key_handling (id, key_id, at, source, mark, kind, person_id, giver_id, crew_id, due_at, place, told_at, actor, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: name_taker
-- The person that a cabinet named became known.
UPDATE key_handling SET person_id = $2, entry = $3 WHERE id = $1

-- name: close_span
-- A custody that is known no more as it was.
UPDATE key_custody SET known = int8range(lower(known), $3), entry = $3
WHERE key_id = $1 AND upper_inf(known) AND lower(during) = $2

-- name: insert_span
-- A custody as it is known now.
INSERT INTO key_custody (key_id, person_id, during, known, crew_id, due_at, source, entry)
VALUES ($1, $2, tstzrange($3, $4), int8range($8, NULL), $5, $6, $7, $8)

-- name: insert_crew
-- A crew that a key is handed to.
INSERT INTO key_crew (id, key_id, leader_id, name, members, entry) VALUES ($1, $2, $3, $4, $5, $6)

-- name: crews
-- Crews by id.
SELECT * FROM key_crew WHERE id = ANY($1::uuid[])

-- name: custodies_at
-- Who had each key at an instant, as known now, and everything that makes it sure or not.
SELECT held.person_id, cardinality(crew.members) AS crew_size,
    EXISTS (SELECT FROM key_report AS report
            WHERE report.key_id = asked.key_id AND report.kind = 'lost' AND report.since <= asked.at
            AND (report.ended_at IS NULL OR report.ended_at > asked.at OR report.ended_as = 'replaced')) AS lost,
    held.person_id IS NOT NULL AND EXISTS (
        SELECT FROM key_custody AS other WHERE other.key_id = asked.key_id AND upper_inf(other.known)
        AND other.person_id <> held.person_id
        AND ((lower(other.during) = held.ends AND held.ends <= asked.at + $3::interval)
             OR (upper(other.during) = held.starts AND held.starts > asked.at - $3::interval))) AS changing,
    EXISTS (SELECT FROM key_finding AS finding WHERE finding.key_id = asked.key_id AND finding.settled_at IS NULL
            AND finding.kind = ANY($4::text[]) AND finding.at <= asked.at
            AND NOT EXISTS (SELECT FROM key_handling AS after
                            WHERE after.key_id = asked.key_id AND after.at > finding.at
                            AND after.at <= asked.at AND (after.kind = 'back' OR after.source = 'desk'))) AS disputed,
    last.kind AS last_kind, last.source AS last_source
FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS asked (key_id, at, place)
LEFT JOIN LATERAL (SELECT person_id, crew_id, lower(during) AS starts, upper(during) AS ends FROM key_custody
                   WHERE key_id = asked.key_id AND upper_inf(known) AND during @> asked.at) AS held ON true
LEFT JOIN key_crew AS crew ON crew.id = held.crew_id
LEFT JOIN LATERAL (SELECT kind, source FROM key_handling
                   WHERE key_id = asked.key_id AND at <= asked.at AND kind <> 'due'
                   ORDER BY at DESC, (source = 'desk') DESC, mark DESC LIMIT 1) AS last ON true
ORDER BY asked.place

-- name: out_of_use
-- Why a key may not be handed out: it is reported lost or broken, or another one took its place.
SELECT * FROM key_report WHERE key_id = $1 AND (ended_at IS NULL OR ended_as = 'replaced') ORDER BY told_at DESC LIMIT 1

-- name: open_report
-- The open report about a key.
SELECT * FROM key_report WHERE key_id = $1 AND ended_at IS NULL

-- name: reported_at
-- Which of these keys were reported lost or broken at an instant, and how.
SELECT report.key_id, report.kind, key.stamp FROM key_report AS report JOIN key_key AS key ON key.id = report.key_id
WHERE report.key_id = ANY($1::uuid[]) AND report.told_at <= $2 AND (report.ended_at IS NULL OR report.ended_at > $2)

-- name: told_at
-- Since when a key is reported lost or broken.
SELECT told_at FROM key_report WHERE key_id = $1 AND ended_at IS NULL

-- name: open_reports
-- All open reports, the newest first.
SELECT report.*, key.stamp FROM key_report AS report JOIN key_key AS key ON key.id = report.key_id
WHERE report.ended_at IS NULL ORDER BY report.told_at DESC, key.stamp

-- name: insert_report
-- A key is lost or broken.
INSERT INTO key_report (id, key_id, kind, since, told_at, reason, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: end_report
-- Found, repaired or replaced.
UPDATE key_report SET ended_at = $2, ended_as = $3, replaced_by = $4, entry = $5 WHERE id = $1

-- name: insert_finding
-- Something that does not fit together.
INSERT INTO key_finding (id, kind, key_id, handling_id, cabinet, stamp, at, told_at, person_id, holder_id, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: open_findings
-- What a person should look at, the newest first.
SELECT finding.*, key.stamp AS key_stamp FROM key_finding AS finding LEFT JOIN key_key AS key ON key.id = finding.key_id
WHERE finding.settled_at IS NULL ORDER BY finding.at DESC, finding.id LIMIT $1

-- name: find_finding
-- One finding.
SELECT finding.*, key.stamp AS key_stamp FROM key_finding AS finding LEFT JOIN key_key AS key ON key.id = finding.key_id
WHERE finding.id = $1

-- name: open_findings_of_key
-- Open findings about one key.
SELECT * FROM key_finding WHERE key_id = $1 AND settled_at IS NULL

-- name: settled_clashes_of_key
-- What a person has settled already.
SELECT handling_id, kind FROM key_finding
WHERE key_id = $1 AND settled_at IS NOT NULL AND handling_id IS NOT NULL AND how <> 'explained'

-- name: settle_finding
-- Somebody, or a later word, settled it.
UPDATE key_finding SET settled_at = $2, settled_by = $3, how = $4, entry = $5 WHERE id = $1 AND settled_at IS NULL

-- name: settle_leavers
-- The key came back: who left with it has not.
UPDATE key_finding SET settled_at = $2, settled_by = $3, how = $4, entry = $5
WHERE key_id = $1 AND settled_at IS NULL AND kind IN ('left_with_key', 'holder_gone')

-- name: settle_cabinet
-- The cabinet is back, or its door is closed.
UPDATE key_finding SET settled_at = $3, settled_by = $4, how = $5, entry = $6
WHERE cabinet = $1 AND kind = $2 AND settled_at IS NULL

-- name: keys_by_stamp
-- All keys that carry a stamp, of any key system, with the system's name.
SELECT key.*, system.name AS system_name, system.vendor FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
WHERE lower(key.stamp) = lower($1) AND NOT key.deleted ORDER BY system.name

-- name: held_now
-- All keys that somebody has at an instant, with everything the list of keys that are out shows.
SELECT key.*, custody.person_id, lower(custody.during) AS since, custody.due_at, custody.crew_id, custody.source,
    crew.name AS crew_name, cardinality(crew.members) AS crew_size, report.kind AS report_kind,
    (SELECT step FROM key_overdue AS told WHERE told.key_id = key.id AND told.due_at = custody.due_at
     ORDER BY told.told_at DESC, array_position(ARRAY['security', 'shift_leader', 'key_desk', 'reminder', 'due'], told.step)
     LIMIT 1) AS step
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
LEFT JOIN key_crew AS crew ON crew.id = custody.crew_id
LEFT JOIN key_report AS report ON report.key_id = key.id AND report.ended_at IS NULL
WHERE upper_inf(custody.known) AND custody.during @> $1::timestamptz
  AND ($2::uuid[] IS NULL OR custody.person_id = ANY($2::uuid[]))
ORDER BY lower(custody.during), key.stamp

-- name: custody_now
-- The open custody of a key.
SELECT person_id, crew_id, due_at, lower(during) AS since FROM key_custody
WHERE key_id = $1 AND upper_inf(known) AND during @> $2::timestamptz

-- name: due_steps
-- Steps of the escalation that are due and were not told, the earliest first. A lost key is not asked back.
SELECT key.id AS key_id, key.stamp, custody.person_id, custody.due_at, ladder.step, custody.due_at + ladder.after AS at
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
CROSS JOIN unnest($2::text[], $3::interval[]) AS ladder(step, after)
WHERE upper_inf(custody.known) AND upper_inf(custody.during) AND custody.due_at IS NOT NULL
  AND custody.due_at + ladder.after <= $1
  AND NOT EXISTS (SELECT FROM key_report AS report WHERE report.key_id = key.id AND report.ended_at IS NULL)
  AND NOT EXISTS (SELECT FROM key_overdue AS told
                  WHERE told.key_id = key.id AND told.due_at = custody.due_at AND told.step = ladder.step)
ORDER BY custody.due_at + ladder.after, key.id, ladder.after LIMIT $4

-- name: next_step
-- When the next step of the escalation is due.
SELECT min(custody.due_at + ladder.after) FROM key_custody AS custody
CROSS JOIN unnest($2::interval[]) AS ladder(after)
WHERE upper_inf(custody.known) AND upper_inf(custody.during) AND custody.due_at IS NOT NULL
  AND custody.due_at + ladder.after > $1
  AND NOT EXISTS (SELECT FROM key_report AS report WHERE report.key_id = custody.key_id AND report.ended_at IS NULL)

-- name: insert_overdue
-- A step was told.
INSERT INTO key_overdue (key_id, due_at, step, told_at, entry) VALUES ($1, $2, $3, $4, $5)

-- name: openable_cylinders
-- Which cylinders these keys could open at an instant.
SELECT key_id, cylinder_id FROM key_may_open
WHERE key_id = ANY($1::uuid[]) AND gone_at > $2 AND since <= $2 AND exposed_until > $2

-- name: locks_here
-- How many of these cylinders are locks of a key system.
SELECT count(DISTINCT cylinder.id) FROM plant_cylinders AS cylinder JOIN key_system AS system ON system.vendor = cylinder.vendor
JOIN key_lock AS lock ON lock.system_id = system.id AND lock.external_id = cylinder.external_id
WHERE system.id = $1 AND cylinder.id = ANY($2::uuid[])

-- name: custody_before
-- The custody that ended at an instant.
SELECT person_id, crew_id, due_at, lower(during) AS since FROM key_custody
WHERE key_id = $1 AND upper_inf(known) AND upper(during) = $2

-- name: disputed_keys
-- Keys that two people may have.
SELECT DISTINCT finding.key_id FROM key_finding AS finding WHERE finding.settled_at IS NULL AND finding.kind = ANY($1::text[])
  AND NOT EXISTS (SELECT FROM key_handling AS after WHERE after.key_id = finding.key_id AND after.at > finding.at
                  AND (after.kind = 'back' OR after.source = 'desk'))
