-- Permits on paper, and permit systems that people declared down.

-- name: add_paper
-- What only a permit on paper has.
INSERT INTO work_paper (permit_id, number, number_norm, stands_for, issuing_id, performing_id, written_by, confirmed_by,
    reason, form, issued_at, ends_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: paper_number
-- Whether a number of the pad was used before, and when.
SELECT issued_at FROM work_paper WHERE number_norm = $1

-- name: get_paper
-- One permit on paper.
SELECT * FROM work_paper WHERE permit_id = $1

-- name: lock_paper
-- One permit on paper, for change.
SELECT * FROM work_paper WHERE permit_id = $1 FOR UPDATE

-- name: set_paper_form
-- Somebody signed off.
UPDATE work_paper SET form = $2, entry = $3 WHERE permit_id = $1

-- name: close_paper
-- The work is over, or went on under a permit of the permit system.
UPDATE work_paper SET closed_at = $2, entry = $3 WHERE permit_id = $1 AND closed_at IS NULL

-- name: enter_paper
-- What it became in the permit system.
UPDATE work_paper SET entered_as = $2, entered_permit = $3, entered_by = $4, entered_at = $5, entry = $6
WHERE permit_id = $1

-- name: list_paper
-- Permits on paper, the newest first: so many of all, or every one that still has to be entered.
SELECT * FROM work_paper WHERE ($1::boolean OR entered_at IS NULL) ORDER BY issued_at DESC, permit_id
LIMIT CASE WHEN $1::boolean THEN $2::bigint END

-- name: permits_called
-- Permits of one source by number or by what the source calls them.
SELECT id FROM work_permit WHERE source = $1 AND (external_id = $2 OR number = $2) ORDER BY id LIMIT 2

-- name: next_sequence
-- The number of a permit's next event of our own.
SELECT sequence + 1 FROM work_permit WHERE id = $1

-- name: put_source_down
-- Two people say that a permit system is down.
INSERT INTO work_source_down (source, since, until, reason, declared_by, confirmed_by, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (source) DO UPDATE SET since = excluded.since, until = excluded.until, reason = excluded.reason,
    declared_by = excluded.declared_by, confirmed_by = excluded.confirmed_by, entry = excluded.entry

-- name: end_source_down
-- Somebody says that it is back.
UPDATE work_source_down SET until = $2, entry = $3 WHERE source = $1

-- name: source_down
-- Whether two people say that a permit system is down.
SELECT * FROM work_source_down WHERE source = $1 AND since <= $2 AND until > $2

-- name: sources_down
-- All permit systems that are declared down.
SELECT * FROM work_source_down WHERE since <= $1 AND until > $1 ORDER BY source
