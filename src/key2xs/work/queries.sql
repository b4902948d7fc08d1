-- Statements of the work room. Every GiST parameter is cast.

-- name: serialise_subject
-- One message about one subject at a time: two first messages would both make the permit.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: find_parties
-- Parties of a source by their blind references.
SELECT id, person_id, scheme, ref_blind FROM work_party
WHERE source = $1 AND (scheme, ref_blind) IN (SELECT * FROM unnest($2::text[], $3::bytea[]))

-- name: add_party
-- Somebody named for the first time.
INSERT INTO work_party (id, source, scheme, ref_blind, ref_sealed, owner, person_id, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: unresolved_parties
-- Parties that no identity is known for.
SELECT id, source, scheme, ref_sealed, owner FROM work_party WHERE person_id IS NULL ORDER BY id LIMIT $1

-- name: resolve_party
-- The identity of a party, and its reference sealed under the person's own key.
UPDATE work_party SET person_id = $2, owner = $2, ref_sealed = $3, entry = $4 WHERE id = $1 AND person_id IS NULL

-- name: party_persons
-- Who the parties are.
SELECT id, person_id FROM work_party WHERE id = ANY($1::uuid[])

-- name: permits_of_party
-- Permits whose newest event names a party.
SELECT DISTINCT permit_id FROM work_crew WHERE party_id = $1 AND present ORDER BY permit_id

-- name: resolved_owners
-- Parties whose own data key is not needed any more.
SELECT id FROM work_party WHERE owner <> id AND id > $1 ORDER BY id LIMIT $2

-- name: find_event
-- An earlier message with this id, or delivered under this webhook id.
SELECT id, event_id, digest, outcome, problems, permit_id, entry FROM work_event
WHERE source = $1 AND (event_id = $2 OR webhook_id = $3)
ORDER BY (outcome <> 'refused') DESC, received_at DESC

-- name: add_event
-- One message that carried a right signature.
INSERT INTO work_event (id, source, event_id, webhook_id, type, permit_id, sequence, told_at, received_at, outcome,
    problems, doc, order_facts, digest, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- name: newest_document
-- The full state of a permit's newest event. Of two with one sequence the id decides, as in `state_at`.
SELECT doc FROM work_event WHERE permit_id = $1 AND doc IS NOT NULL ORDER BY sequence DESC, event_id LIMIT 1

-- name: order_facts
-- What the order of a permit's events needs.
SELECT order_facts FROM work_event WHERE permit_id = $1 AND order_facts IS NOT NULL

-- name: order_facts_of_many
-- The same for many permits at once.
SELECT permit_id, order_facts FROM work_event WHERE permit_id = ANY($1::uuid[]) AND order_facts IS NOT NULL

-- name: find_permit
-- A permit by what its source calls it.
SELECT id, source, external_id, number, type, area, area_norm, unit, parent, sequence, revision, needs_pull, findings,
    entry
FROM work_permit WHERE source = $1 AND external_id = $2

-- name: get_permit
-- One permit.
SELECT id, source, external_id, number, type, area, area_norm, unit, parent, sequence, revision, needs_pull, findings,
    entry
FROM work_permit WHERE id = $1

-- name: name_permit
-- Permits by number or by what a source calls them.
SELECT id FROM work_permit WHERE external_id = $1 OR number = $1 ORDER BY (external_id = $1) DESC, id LIMIT 2

-- name: put_permit
-- A permit as its newest event has it.
INSERT INTO work_permit (id, source, external_id, number, type, area, area_norm, unit, parent, sequence, revision,
    needs_pull, findings, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (id) DO UPDATE SET number = excluded.number, type = excluded.type, area = excluded.area,
    area_norm = excluded.area_norm, unit = excluded.unit, parent = excluded.parent, sequence = excluded.sequence,
    revision = excluded.revision, needs_pull = excluded.needs_pull, findings = excluded.findings,
    entry = excluded.entry

-- name: note_permit
-- What looks wrong with a permit, when nothing else of it changed.
UPDATE work_permit SET needs_pull = $2, findings = $3, entry = $4 WHERE id = $1

-- name: permit_states
-- A permit's states as known now, oldest first.
SELECT state, cause, sequence, valid_from, valid_to, withheld, lower(during) AS starts_at, upper(during) AS ends_at
FROM work_permit_state WHERE permit_id = $1 AND upper_inf(known) ORDER BY lower(during)

-- name: close_permit_states
-- From this entry on we know better about these stretches.
UPDATE work_permit_state SET known = int8range(lower(known), $3::bigint), entry = $3
WHERE permit_id = $1 AND upper_inf(known) AND lower(during) = ANY($2::timestamptz[])

-- name: add_permit_state
-- A stretch of time with one state, known from this entry on.
INSERT INTO work_permit_state (permit_id, entry, state, cause, sequence, valid_from, valid_to, withheld, during, known)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, tstzrange($9::timestamptz, $10::timestamptz), int8range($2::bigint, NULL))

-- name: state_at
-- A permit's state at an instant, as known now or as known at an entry, with the full state that held then.
SELECT held.state, held.cause, held.sequence, held.valid_from, held.valid_to, held.withheld,
    lower(held.during) AS since, event.doc, event.told_at
FROM work_permit_state AS held
LEFT JOIN LATERAL (
    SELECT doc, told_at FROM work_event
    WHERE permit_id = held.permit_id AND sequence <= held.sequence AND doc IS NOT NULL
    ORDER BY sequence DESC, event_id LIMIT 1
) AS event ON true
WHERE held.permit_id = $1 AND held.during @> $2::timestamptz
    AND CASE WHEN $3::bigint IS NULL THEN upper_inf(held.known) ELSE held.known @> $3::bigint END

-- name: crew_lines
-- The crew as it stands in the table.
SELECT line, party_id, role, signed_on, signed_off, present FROM work_crew WHERE permit_id = $1

-- name: put_crew_line
-- One turn of one person.
INSERT INTO work_crew (permit_id, line, party_id, role, signed_on, signed_off, present, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (permit_id, line) DO UPDATE SET party_id = excluded.party_id, role = excluded.role,
    signed_on = excluded.signed_on, signed_off = excluded.signed_off, present = excluded.present,
    entry = excluded.entry

-- name: boundaries
-- Instants of a permit that the clock brings about.
SELECT kind, due_at, wanted, told FROM work_boundary WHERE permit_id = $1

-- name: put_boundary
-- An instant to tell, or one that is no longer wanted.
INSERT INTO work_boundary (permit_id, kind, due_at, wanted, told, entry) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (permit_id, kind, due_at) DO UPDATE SET wanted = excluded.wanted, told = excluded.told,
    entry = excluded.entry

-- name: due_boundaries
-- What the clock has brought about and nobody told.
SELECT boundary.permit_id, boundary.kind, boundary.due_at, permit.number FROM work_boundary AS boundary
JOIN work_permit AS permit ON permit.id = boundary.permit_id
WHERE boundary.wanted AND NOT boundary.told AND boundary.due_at <= $1
ORDER BY boundary.due_at, boundary.permit_id, boundary.kind LIMIT $2

-- name: next_boundary
-- When the clock brings about the next one.
SELECT min(due_at) FROM work_boundary WHERE wanted AND NOT told AND due_at > $1

-- name: area_stops
-- Stops of an area, from any source.
SELECT id, at FROM work_area_stop WHERE area_norm = $1 ORDER BY at

-- name: add_area_stop
-- Everything in an area stops.
INSERT INTO work_area_stop (id, source, area, area_norm, at, reason_code, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: permits_of_area
-- Permits of an area, from any source.
SELECT id, source, external_id, number, type, area, area_norm, unit, parent, sequence, revision, needs_pull, findings,
    entry
FROM work_permit WHERE area_norm = $1 ORDER BY id

-- name: hear
-- A source was heard.
INSERT INTO work_feed AS feed (source, heard_at, heartbeat_at, live_there, highest_sequence)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (source) DO UPDATE SET heard_at = greatest(feed.heard_at, excluded.heard_at),
    heartbeat_at = greatest(feed.heartbeat_at, excluded.heartbeat_at),
    live_there = coalesce(excluded.live_there, feed.live_there),
    highest_sequence = coalesce(excluded.highest_sequence, feed.highest_sequence)

-- name: feeds
-- When each source was last heard, and whether we called it silent.
SELECT feed.source, feed.heard_at, feed.heartbeat_at, feed.live_there, source.state,
    EXISTS (SELECT 1 FROM work_source_down AS down WHERE down.source = feed.source AND down.since <= $1
        AND down.until > $1) AS declared_down
FROM work_feed AS feed LEFT JOIN work_source AS source ON source.name = feed.source ORDER BY feed.source

-- name: feed
-- When one source was last heard, and whether two people declared it down.
SELECT (SELECT heard_at FROM work_feed WHERE source = $1) AS heard_at,
    EXISTS (SELECT 1 FROM work_source_down WHERE source = $1 AND since <= $2 AND until > $2) AS declared_down

-- name: source_state
-- What we last said about a source.
SELECT state FROM work_source WHERE name = $1

-- name: put_source
-- Say whether a source is fresh or silent.
INSERT INTO work_source (name, state, since, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET state = excluded.state, since = excluded.since, entry = excluded.entry

-- name: native_states
-- What a source's own names mean, beyond the defaults.
SELECT native, canonical FROM work_native_state WHERE source = $1

-- name: put_native_state
-- Say what one name means.
INSERT INTO work_native_state (source, native, canonical, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (source, native) DO UPDATE SET canonical = excluded.canonical, entry = excluded.entry

-- name: list_permits
-- Permits with their state at an instant.
SELECT permit.id, permit.source, permit.external_id, permit.number, permit.type, permit.area, permit.unit,
    permit.revision, held.state, held.cause, held.valid_from, held.valid_to, permit.needs_pull,
    jsonb_array_length(permit.findings) AS findings
FROM work_permit AS permit
JOIN work_permit_state AS held
    ON held.permit_id = permit.id AND upper_inf(held.known) AND held.during @> $1::timestamptz
WHERE ($2::text[] IS NULL OR held.state = ANY($2))
    AND ($3::text IS NULL OR permit.area_norm = $3)
    AND ($4::uuid IS NULL OR permit.id > $4)
    AND ($5::uuid[] IS NULL OR permit.id = ANY($5))
ORDER BY permit.id LIMIT $6

-- name: permits_of_person
-- Permits whose newest event names a person.
SELECT DISTINCT crew.permit_id FROM work_crew AS crew JOIN work_party AS party ON party.id = crew.party_id
WHERE party.person_id = $1 AND crew.present ORDER BY crew.permit_id

-- name: live_here
-- How many permits of a source are live here at an instant.
SELECT count(*) FROM work_permit AS permit
JOIN work_permit_state AS held
    ON held.permit_id = permit.id AND upper_inf(held.known) AND held.during @> $2::timestamptz
WHERE permit.source = $1 AND held.state = 'live'

-- name: held_messages
-- Messages that were refused or parked, newest first.
SELECT id, source, event_id, type, permit_id, received_at, outcome, problems FROM work_event
WHERE outcome IN ('refused', 'parked') ORDER BY received_at DESC, id DESC LIMIT $1
