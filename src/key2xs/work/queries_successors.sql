-- What pages ask about permits beside their facts.

-- name: reissued_as
-- Permits of a source that replace these.
SELECT id, number, parent FROM work_permit WHERE source = $1 AND parent = ANY($2::text[]) ORDER BY number

-- name: numbers_of
-- The numbers of permits.
SELECT id, number FROM work_permit WHERE id = ANY($1::uuid[])
