-- Statements of retention: what happened stays, who it was goes.
-- $1: an instant, everything before it; $2: people whose data is held; $3: how many; $4: the entry; nobody any more: $5.

-- name: unlink_events
-- Openings: the person, and the grant that would name the person.
WITH old AS (
    SELECT id FROM key_event
    WHERE person_id IS NOT NULL AND coalesce(occurred_at, arrived_at) < $1 AND person_id <> ALL($2::uuid[])
    ORDER BY coalesce(occurred_at, arrived_at), id LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_event SET person_id = NULL, grant_id = NULL, entry = $4 FROM old WHERE key_event.id = old.id

-- name: unlink_custody
-- Who had a key that came back: otherwise key and time would name the person again.
WITH old AS (
    SELECT ctid FROM key_custody
    WHERE NOT upper_inf(during) AND upper(during) < $1 AND person_id <> ALL($2::uuid[]) AND person_id <> $5
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_custody SET person_id = $5, entry = $4 FROM old WHERE key_custody.ctid = old.ctid

-- name: unlink_superseded
-- What was believed of custody before it was told better, once even the newer word is old.
WITH old AS (
    SELECT ctid FROM key_custody
    WHERE NOT upper_inf(known) AND lower(during) < $1 AND person_id <> ALL($2::uuid[]) AND person_id <> $5
      AND NOT EXISTS (
          SELECT 1 FROM key_custody AS now WHERE now.key_id = key_custody.key_id AND upper_inf(now.known)
            AND now.person_id = key_custody.person_id AND (upper_inf(now.during) OR upper(now.during) >= $1))
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_custody SET person_id = $5, entry = $4 FROM old WHERE key_custody.ctid = old.ctid

-- name: unlink_handlings
-- The same, hand by hand; what began a custody that still runs stays.
WITH old AS (
    SELECT id FROM key_handling AS handling
    WHERE at < $1 AND (
        (person_id IS NOT NULL AND person_id <> $5 AND person_id <> ALL($2::uuid[]))
        OR (giver_id IS NOT NULL AND giver_id <> $5 AND giver_id <> ALL($2::uuid[])))
      AND NOT EXISTS (
          SELECT 1 FROM key_custody AS now WHERE now.key_id = handling.key_id AND upper_inf(now.known)
            AND lower(now.during) <= handling.at AND (upper_inf(now.during) OR upper(now.during) >= $1))
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_handling SET
    person_id = CASE WHEN person_id = ANY($2::uuid[]) THEN person_id WHEN person_id IS NULL THEN NULL ELSE $5 END,
    giver_id = CASE WHEN giver_id = ANY($2::uuid[]) THEN giver_id WHEN giver_id IS NULL THEN NULL ELSE $5 END,
    entry = $4
FROM old WHERE key_handling.id = old.id

-- name: unlink_crews
-- Crews whose key came back.
WITH old AS (
    SELECT id FROM key_crew AS crew
    WHERE leader_id <> $5 AND leader_id <> ALL($2::uuid[]) AND NOT members && $2::uuid[]
      AND EXISTS (SELECT 1 FROM key_handling AS handling WHERE handling.crew_id = crew.id AND handling.at < $1)
      AND NOT EXISTS (
          SELECT 1 FROM key_custody AS now WHERE now.crew_id = crew.id AND upper_inf(now.known)
            AND (upper_inf(now.during) OR upper(now.during) >= $1))
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_crew SET leader_id = $5, members = ARRAY[$5::uuid], entry = $4 FROM old WHERE key_crew.id = old.id

-- name: unlink_openers
-- Whose key could open what, once it no longer could.
WITH old AS (
    SELECT ctid FROM key_may_open
    WHERE gone_at < $1 AND gone_at < 'infinity' AND person_id IS NOT NULL AND person_id <> ALL($2::uuid[])
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_may_open SET person_id = NULL, grant_id = NULL, entry = $4 FROM old WHERE key_may_open.ctid = old.ctid

-- name: unlink_cabinets
-- What key cabinets told.
WITH old AS (
    SELECT id FROM key_cabinet_event
    WHERE occurred_at < $1 AND person_id IS NOT NULL AND person_id <> ALL($2::uuid[])
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_cabinet_event SET person_id = NULL, entry = $4 FROM old WHERE key_cabinet_event.id = old.id

-- name: unlink_findings
-- Findings that somebody has settled.
WITH old AS (
    SELECT id FROM key_finding
    WHERE at < $1 AND settled_at IS NOT NULL AND (person_id IS NOT NULL OR holder_id IS NOT NULL)
      AND NOT coalesce(person_id = ANY($2::uuid[]), false) AND NOT coalesce(holder_id = ANY($2::uuid[]), false)
    LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE key_finding SET person_id = NULL, holder_id = NULL, entry = $4 FROM old WHERE key_finding.id = old.id
