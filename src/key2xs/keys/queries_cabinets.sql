-- Key cabinets.

-- name: known_events
-- Which of these events were taken in before.
SELECT event_id FROM key_cabinet_event WHERE source = $1 AND event_id = ANY($2::text[])

-- name: insert_event
-- An event of a cabinet.
INSERT INTO key_cabinet_event (id, source, event_id, cabinet, kind, occurred_at, arrived_at, slot, stamp, key_id, person_id,
    ref_sealed, handling_id, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: put_cabinet
-- A cabinet was heard; the newest word by its own time says whether it is online. Returns that.
INSERT INTO key_cabinet (source, name, online, heard_at, changed_at, entry) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (source, name) DO UPDATE SET
    online = CASE WHEN excluded.changed_at >= key_cabinet.changed_at THEN excluded.online ELSE key_cabinet.online END,
    changed_at = greatest(key_cabinet.changed_at, excluded.changed_at), heard_at = excluded.heard_at, entry = excluded.entry
RETURNING online

-- name: list_cabinets
-- All cabinets, with how many keys lie in each.
SELECT cabinet.source, cabinet.name, cabinet.online, cabinet.heard_at,
    (SELECT count(*) FROM (
        SELECT DISTINCT ON (handling.key_id) handling.kind, handling.source, handling.place FROM key_handling AS handling
        WHERE handling.kind <> 'due' AND handling.key_id IN (
            SELECT event.key_id FROM key_cabinet_event AS event WHERE event.source = cabinet.source AND event.cabinet = cabinet.name)
        ORDER BY handling.key_id, handling.at DESC, (handling.source = 'desk') DESC, handling.mark DESC) AS last
     WHERE last.kind = 'back' AND last.source = 'cabinet' AND split_part(last.place, '/', 1) = cabinet.name) AS keys
FROM key_cabinet AS cabinet ORDER BY cabinet.source, cabinet.name

-- name: keys_in_cabinet
-- The keys that lie in a cabinet, with their slots, fit to be taken.
SELECT key.*, last.place FROM (
    SELECT DISTINCT ON (handling.key_id) handling.key_id, handling.kind, handling.source, handling.place
    FROM key_handling AS handling WHERE handling.kind <> 'due' AND handling.key_id IN (
        SELECT event.key_id FROM key_cabinet_event AS event WHERE event.source = $1 AND event.cabinet = $2)
    ORDER BY handling.key_id, handling.at DESC, (handling.source = 'desk') DESC, handling.mark DESC) AS last
JOIN key_key AS key ON key.id = last.key_id
WHERE last.kind = 'back' AND last.source = 'cabinet' AND split_part(last.place, '/', 1) = $2
  AND key.blocked_at IS NULL AND NOT key.deleted
  AND NOT EXISTS (SELECT FROM key_report AS report WHERE report.key_id = key.id
                  AND (report.ended_at IS NULL OR report.ended_as = 'replaced'))
ORDER BY key.stamp

-- name: systems_of_cylinders
-- In which key systems these cylinders have a lock.
SELECT cylinder.id AS cylinder_id, system.id AS system_id
FROM plant_cylinders AS cylinder JOIN key_system AS system ON system.vendor = cylinder.vendor
JOIN key_lock AS lock ON lock.system_id = system.id AND lock.external_id = cylinder.external_id
WHERE cylinder.id = ANY($1::uuid[])

-- name: unresolved
-- Events that name somebody no identity is known for.
SELECT * FROM key_cabinet_event WHERE ref_sealed IS NOT NULL ORDER BY id LIMIT $1

-- name: resolve
-- The person became known.
UPDATE key_cabinet_event SET person_id = $2, ref_sealed = NULL, entry = $3 WHERE id = $1
