-- Acts on many.

-- name: insert_look
-- What somebody was shown.
INSERT INTO incident_mass_look (id, kind, ref, at, digest, content) VALUES ($1, $2, $3, $4, $5, $6)

-- name: find_look
-- What was shown under a digest, the newest.
SELECT content FROM incident_mass_look WHERE kind = $1 AND ref = $2 AND digest = $3 ORDER BY at DESC LIMIT 1

-- name: insert_mass
-- An act begins.
INSERT INTO incident_mass (id, kind, ref, reason, state, digest, stop_id, started_by, started_user, confirmed_by,
    started_at, state_at, entry)
VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, $10, $10, $11)

-- name: insert_items
-- What it is about; what is there already stays as it is.
INSERT INTO incident_mass_item (mass_id, what, ref_id, person_id, state, entry)
SELECT $1, item.what, item.ref_id, item.person_id, item.state, $6
FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::text[]) AS item (what, ref_id, person_id, state)
ON CONFLICT DO NOTHING

-- name: list_mass
-- Acts, the newest first.
SELECT mass.*, stop.lifted_at FROM incident_mass AS mass JOIN grant_stop AS stop ON stop.id = mass.stop_id
ORDER BY mass.started_at DESC, mass.id DESC LIMIT $1

-- name: find_mass
-- One act.
SELECT mass.*, stop.lifted_at FROM incident_mass AS mass JOIN grant_stop AS stop ON stop.id = mass.stop_id
WHERE mass.id = $1

-- name: lock_mass
-- One act, for this transaction alone.
SELECT mass.*, stop.lifted_at FROM incident_mass AS mass JOIN grant_stop AS stop ON stop.id = mass.stop_id
WHERE mass.id = $1 FOR UPDATE OF mass

-- name: running
-- Acts to take further.
SELECT id FROM incident_mass WHERE state = 'running' ORDER BY started_at, id

-- name: set_mass
-- Where an act stands.
UPDATE incident_mass SET state = $2, state_at = $3, finished_at = $4, entry = $5 WHERE id = $1

-- name: next_items
-- What is due: of people nobody has to be told of first, or whose telling is over.
SELECT item.what, item.ref_id, item.person_id, item.told FROM incident_mass_item AS item
LEFT JOIN incident_kill AS kill ON kill.id = item.told
WHERE item.mass_id = $1 AND item.state = 'waiting' AND (item.told IS NULL OR kill.state = 'done')
ORDER BY item.person_id, item.what, item.ref_id LIMIT $2

-- name: withdrawn_items
-- What is due no more: whoever asked took it back for the people who are at work.
SELECT item.ref_id FROM incident_mass_item AS item JOIN incident_kill AS kill ON kill.id = item.told
WHERE item.mass_id = $1 AND item.state = 'waiting' AND kill.state = 'withdrawn'

-- name: set_items
-- What became of items.
UPDATE incident_mass_item SET state = $3, entry = $4 WHERE mass_id = $1 AND ref_id = ANY($2::uuid[]) AND state = 'waiting'

-- name: tell_items
-- The shift leader is told of these people first.
UPDATE incident_mass_item SET told = $3, entry = $4
WHERE mass_id = $1 AND person_id = ANY($2::uuid[]) AND state = 'waiting' AND told IS NULL

-- name: any_waiting
-- Whether anything is still to end.
SELECT EXISTS (SELECT 1 FROM incident_mass_item WHERE mass_id = $1 AND state = 'waiting')

-- name: left_people
-- Whom it was taken back for.
SELECT DISTINCT person_id FROM incident_mass_item WHERE mass_id = $1 AND state = 'left' AND person_id IS NOT NULL

-- name: untold_people
-- People with something still to end of whom nobody was told.
SELECT DISTINCT person_id FROM incident_mass_item
WHERE mass_id = $1 AND state = 'waiting' AND told IS NULL AND person_id IS NOT NULL

-- name: items
-- Everything an act is about.
SELECT what, ref_id, person_id, told, state FROM incident_mass_item WHERE mass_id = $1

-- name: tellings
-- Stops about people at work that still wait.
SELECT DISTINCT kill.id, kill.proceeds_at FROM incident_mass_item AS item JOIN incident_kill AS kill ON kill.id = item.told
WHERE item.mass_id = $1 AND kill.state = 'waiting' ORDER BY kill.proceeds_at
