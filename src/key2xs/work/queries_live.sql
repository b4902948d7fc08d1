-- What the live pages ask of the work room.

-- name: count_in_force
-- How many permits are in force at an instant, by area (as compared) and unit.
SELECT permit.area_norm, permit.unit, count(*)::int AS permits FROM work_permit_state AS held
JOIN work_permit AS permit ON permit.id = held.permit_id
WHERE upper_inf(held.known) AND held.during @> $1::timestamptz AND held.state = 'live'
GROUP BY permit.area_norm, permit.unit

-- name: stopped_since
-- Permits whose present state is one of $2 and began after an instant, the newest first, with the reason they gave.
SELECT permit.id, permit.number, permit.source, permit.area, permit.unit, permit.type, held.state, held.cause,
    lower(held.during) AS since,
    (SELECT event.doc -> 'reason' ->> 'code' FROM work_event AS event
     WHERE event.permit_id = permit.id AND event.sequence = held.sequence AND event.outcome = 'accepted' LIMIT 1) AS reason
FROM work_permit_state AS held JOIN work_permit AS permit ON permit.id = held.permit_id
WHERE upper_inf(held.known) AND lower(held.during) > $1 AND lower(held.during) <= $3 AND held.during @> $3::timestamptz
    AND held.state = ANY($2::text[])
ORDER BY lower(held.during) DESC, permit.number LIMIT $4
