-- Statements of the grants room.

-- name: find_open
-- Open leases by what they rest on or belong to. Every filter may be null.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease
WHERE state <> 'ended'
  AND ($1::uuid[] IS NULL OR lease.id = ANY($1::uuid[]))
  AND ($2::uuid[] IS NULL OR lease.person_id = ANY($2::uuid[]))
  AND ($3::text IS NULL OR lease.basis_ref = $3::text)
  AND ($4::text IS NULL OR lease.id IN (SELECT grant_id FROM grant_fact WHERE subject = $4::text))
ORDER BY lease.id

-- name: find_lease
-- One lease, whatever its state.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE lease.id = $1

-- name: decision
-- One lease with its last decision: the entry it was told with, and whether its holder was erased since.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders,
    (SELECT max(entry) FROM grant_fact WHERE grant_id = lease.id) AS known_at,
    EXISTS (SELECT 1 FROM log_body WHERE subjects && ARRAY['person:' || lease.person_id::text]
        AND kind = 'identity:person:erase') AS erased
FROM grant_lease AS lease WHERE lease.id = $1

-- name: find_facts
-- The facts leases rest on, with the versions they were decided at.
SELECT grant_id, subject, version FROM grant_fact WHERE grant_id = ANY($1::uuid[])

-- name: last_end
-- When a lease for the same thing ran out last, and when one was last taken away. What a safety rule held was over
-- for everything but the rule when it was held.
SELECT max(over_at) FILTER (WHERE why IN ('lapsed', 'renewed')) AS ran_out,
    max(over_at) FILTER (WHERE why NOT IN ('lapsed', 'renewed')) AS taken_away
FROM (SELECT coalesce(held_since, ended_at) AS over_at, coalesce(end_reason, held_end) AS why
    FROM grant_lease WHERE person_id = $1 AND basis_ref = $2 AND basis_step = $3 AND state IN ('ended', 'held')) AS past

-- name: ever_covered
-- Every cylinder that any lease for the same thing ever held.
SELECT DISTINCT cylinder_id FROM grant_cylinder WHERE grant_id IN (
    SELECT id FROM grant_lease WHERE person_id = $1 AND basis_ref = $2 AND basis_step = $3)

-- name: due_leases
-- Leases whose start, end or decision falls due.
SELECT id FROM grant_lease WHERE state <> 'ended' AND due_at <= $1 ORDER BY due_at LIMIT $2

-- name: insert_lease
-- A new lease.
INSERT INTO grant_lease (id, person_id, basis_kind, basis_ref, basis_step, basis_at, during, state, reasons, bundle,
    reference, decided_at, due_at, entry, held_rule, held_since, held_end, held_why, held_act)
VALUES ($1, $2, $3, $4, $5, $6, tstzrange($7, $8), $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)

-- name: insert_cylinders
-- The cylinders of a lease.
INSERT INTO grant_cylinder (grant_id, cylinder_id, entry) SELECT $1, unnest($2::uuid[]), $3

-- name: remove_cylinders
-- Cylinders that a scope change took out.
UPDATE grant_cylinder SET removed_at = $3, entry = $4
WHERE grant_id = $1 AND cylinder_id = ANY($2::uuid[]) AND removed_at IS NULL

-- name: put_facts
-- The versions of the facts that the last decision used.
INSERT INTO grant_fact (grant_id, subject, version, entry)
SELECT $1, fact.subject, fact.version, $4 FROM unnest($2::text[], $3::bigint[]) AS fact (subject, version)
ON CONFLICT (grant_id, subject) DO UPDATE SET version = excluded.version, entry = excluded.entry

-- name: update_lease
-- A lease decided again: state, window, reasons.
UPDATE grant_lease SET state = $2, during = tstzrange($3, $4), reasons = $5, bundle = $6, decided_at = $7,
    due_at = $8, entry = $9, held_rule = $10, held_since = $11, held_end = $12, held_why = $13, held_act = $14
WHERE id = $1

-- name: end_leases
-- Ended is terminal.
UPDATE grant_lease SET state = 'ended', ended_at = $2, end_reason = $3, held_rule = NULL, due_at = NULL, entry = ended.entry
FROM unnest($1::uuid[], $4::bigint[]) AS ended (id, entry) WHERE grant_lease.id = ended.id

-- name: put_refusal
-- What policy refused, once per set of reasons; returns nothing when it was told already.
INSERT INTO grant_refusal (person_id, basis_ref, basis_step, reasons, refused_at, entry) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person_id, basis_ref, basis_step) DO UPDATE SET reasons = excluded.reasons,
    refused_at = excluded.refused_at, entry = excluded.entry

-- name: find_refusal
-- The reasons told last for this wish.
SELECT reasons FROM grant_refusal WHERE person_id = $1 AND basis_ref = $2 AND basis_step = $3

-- name: refusals_of_basis
-- What was refused for one basis, for the page that explains it.
SELECT person_id, basis_step, reasons, refused_at FROM grant_refusal WHERE basis_ref = $1 ORDER BY refused_at DESC

-- name: effective_of_person
-- Leases that may be on keys now: effective ones, held ones and those that start before $3.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    grant_is_unchanged(lease.id) AS unchanged,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease
WHERE person_id = $1 AND state <> 'ended' AND upper(during) > $2 AND lower(during) <= $3
ORDER BY lower(during), lease.id

-- name: leases_at
-- For each person, cylinder and instant: a lease that covered it then, open or ended since, and the newest one that no
-- longer did, with since when.
SELECT covering.id AS covered_by, ended.id AS ended_id, ended.over_at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS asked (person_id, cylinder_id, at, place)
LEFT JOIN LATERAL (
    SELECT lease.id
    FROM grant_lease AS lease
    JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.cylinder_id = asked.cylinder_id
    WHERE lease.person_id = asked.person_id AND lower(lease.during) <= asked.at
      AND upper(lease.during) > asked.at AND coalesce(lease.ended_at, 'infinity') > asked.at
      AND coalesce(part.removed_at, 'infinity') > asked.at
    ORDER BY lower(lease.during), lease.id LIMIT 1) AS covering ON true
LEFT JOIN LATERAL (
    SELECT lease.id, least(upper(lease.during), lease.ended_at, part.removed_at) AS over_at
    FROM grant_lease AS lease
    JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.cylinder_id = asked.cylinder_id
    WHERE lease.person_id = asked.person_id
      AND least(upper(lease.during), lease.ended_at, part.removed_at) <= asked.at
    ORDER BY over_at DESC LIMIT 1) AS ended ON true
ORDER BY asked.place

-- name: ended_before
-- The newest lease of a person on a cylinder that no longer covered it at an instant, and since when.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    least(upper(during), lease.ended_at, part.removed_at) AS over_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id) AS cylinders
FROM grant_lease AS lease JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.cylinder_id = $2
WHERE lease.person_id = $1 AND least(upper(during), lease.ended_at, part.removed_at) <= $3
ORDER BY least(upper(during), lease.ended_at, part.removed_at) DESC LIMIT 1

-- name: leases_of_basis
-- All leases of one basis, newest first.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE basis_ref = $1 ORDER BY lower(during) DESC, lease.id LIMIT 200

-- name: leases_of_person
-- All leases of one person, newest first.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE person_id = $1 ORDER BY lower(during) DESC, lease.id LIMIT 200

-- name: count_states
-- How many leases stand in which state.
SELECT state, count(*) AS leases FROM grant_lease GROUP BY state

-- name: ending_before
-- Open leases that end soon.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE state <> 'ended' AND upper(during) <= $1 ORDER BY upper(during) LIMIT $2

-- name: mark
-- Subjects to decide again, due at once.
INSERT INTO grant_mark (subject, next_at) SELECT DISTINCT unnest($1::text[]), $2::timestamptz
ON CONFLICT (subject) DO UPDATE SET marks = grant_mark.marks + 1, next_at = least(grant_mark.next_at, excluded.next_at)

-- name: mark_unless_waiting
-- The same for the clock's sake: what failed and waits for its next attempt goes on waiting.
INSERT INTO grant_mark (subject, next_at) SELECT DISTINCT unnest($1::text[]), $2::timestamptz ON CONFLICT DO NOTHING

-- name: claim_mark
-- One due subject, for this worker only.
SELECT subject, marks, failures FROM grant_mark WHERE next_at <= $1 ORDER BY next_at, subject
LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: clear_mark
-- Decided, unless it was marked again meanwhile.
DELETE FROM grant_mark WHERE subject = $1 AND marks = $2

-- name: delay_mark
-- The decision failed; try again later, and say what was wrong.
UPDATE grant_mark SET failures = failures + 1, next_at = $2, problem = $3 WHERE subject = $1

-- name: next_mark
-- When the next subject is due.
SELECT min(next_at) FROM grant_mark

-- name: problems
-- Subjects whose decision keeps failing, for the console.
SELECT subject, failures, problem, next_at FROM grant_mark WHERE failures > 0 ORDER BY subject

-- name: insert_request
-- Somebody asks.
INSERT INTO grant_request (id, kind, person_id, requester_id, during, reason, state, asked_at, entry)
VALUES ($1, $2, $3, $4, tstzrange($5, $6), $7, 'requested', $8, $9)

-- name: insert_request_cylinders
-- What is asked for.
INSERT INTO grant_request_cylinder (request_id, cylinder_id, entry) SELECT $1, unnest($2::uuid[]), $3

-- name: insert_approval
-- Somebody decides on a request.
INSERT INTO grant_approval (request_id, approver_id, decision, reason, at, entry) VALUES ($1, $2, $3, $4, $5, $6)

-- name: set_request_state
-- Where a request stands.
UPDATE grant_request SET state = $2, entry = $3 WHERE id = $1

-- name: find_request
-- One request with its cylinders and approvals.
SELECT request.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_request_cylinder WHERE request_id = request.id) AS cylinders,
    ARRAY(SELECT approver_id FROM grant_approval WHERE request_id = request.id AND decision = 'approve') AS approvers,
    (SELECT max(at) FROM grant_approval WHERE request_id = request.id) AS decided_at
FROM grant_request AS request WHERE request.id = $1

-- name: open_requests
-- Requests that wait for somebody.
SELECT request.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_request_cylinder WHERE request_id = request.id) AS cylinders,
    ARRAY(SELECT approver_id FROM grant_approval WHERE request_id = request.id AND decision = 'approve') AS approvers,
    (SELECT max(at) FROM grant_approval WHERE request_id = request.id) AS decided_at
FROM grant_request AS request WHERE state = 'requested' ORDER BY asked_at

-- name: current_requests
-- All approved requests whose window has not passed.
SELECT id FROM grant_request WHERE state = 'approved' AND upper(during) > $1

-- name: current_requests_of_person
-- Approved requests whose window has not passed.
SELECT id FROM grant_request WHERE person_id = $1 AND state = 'approved' AND upper(during) > $2
