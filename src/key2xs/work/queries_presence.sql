-- Who is at work, and who has not reported.

-- name: signed_on
-- The permits that these people are signed on to, as far as a permit's newest message says; states that end it count no more.
SELECT DISTINCT party.person_id, permit.id, permit.number, permit.type
FROM work_party AS party
JOIN work_crew AS crew ON crew.party_id = party.id AND crew.present
JOIN work_permit AS permit ON permit.id = crew.permit_id
JOIN work_permit_state AS held
    ON held.permit_id = permit.id AND upper_inf(held.known) AND held.during @> $2::timestamptz
WHERE party.person_id = ANY($1::uuid[]) AND held.state = ANY($3::text[])
    AND crew.signed_on <= $2 AND (crew.signed_off IS NULL OR crew.signed_off > $2)
ORDER BY permit.number

-- name: last_turns
-- When these people signed off any permit last.
SELECT party.person_id, max(crew.signed_off) AS at FROM work_party AS party
JOIN work_crew AS crew ON crew.party_id = party.id AND crew.present
WHERE party.person_id = ANY($1::uuid[]) AND crew.signed_off <= $2 GROUP BY party.person_id

-- name: missed_checkins
-- Check-ins of permits that are due and were not made.
SELECT permit.id, permit.number, boundary.due_at FROM work_boundary AS boundary
JOIN work_permit AS permit ON permit.id = boundary.permit_id
WHERE boundary.kind = 'checkin' AND boundary.wanted AND boundary.due_at <= $1 AND boundary.due_at > $2
ORDER BY boundary.due_at, permit.number
