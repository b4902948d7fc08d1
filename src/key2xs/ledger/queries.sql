-- Statements of the log.

-- name: draw_numbers
-- Entry numbers, in rising order. Drawn only after the heads are locked.
SELECT nextval('log_entry_number') AS seq FROM generate_series(1, $1::int)

-- name: insert_pending
-- One entry waiting for its place.
INSERT INTO log_pending (seq, lane, recorded_at, subjects, streams, draft) VALUES ($1, $2, $3, $4, $5, $6)

-- name: insert_body
-- What one entry says.
INSERT INTO log_body (seq, recorded_at, occurred_at, id, kind, actor, subjects, heads, body, secret)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: lock_heads
-- The subjects' locks, taken in sorted order so that two transactions cannot wait for each other.
SELECT subject, entry FROM log_subject_head WHERE subject = ANY($1::text[]) ORDER BY subject FOR UPDATE

-- name: share_heads
-- The same for facts that are only relied on: others may rely on them too, nobody may change them.
SELECT subject, entry FROM log_subject_head WHERE subject = ANY($1::text[]) ORDER BY subject FOR SHARE

-- name: read_heads
-- The newest entry about each subject, without a lock.
SELECT subject, entry FROM log_subject_head WHERE subject = ANY($1::text[])

-- name: make_heads
-- Heads of subjects never heard of before.
INSERT INTO log_subject_head (subject) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING

-- name: move_heads
-- Point each changed subject at its newest entry.
UPDATE log_subject_head AS head SET entry = moved.entry
FROM unnest($1::text[], $2::bigint[]) AS moved (subject, entry) WHERE head.subject = moved.subject

-- name: narrow_only_why
-- Why nothing may widen at the moment, if so.
SELECT narrow_only_why FROM log_head WHERE narrow_only_since IS NOT NULL

-- name: find_head
-- Where the log stands.
SELECT head.*, origin.origin AS origin_name, origin.first_position, origin.vkey, origin.follows
FROM log_head AS head JOIN log_origin AS origin ON origin.number = head.origin

-- name: one_opens
-- Held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: take_fence
-- A new sequencer takes over; whoever held the old fence can no longer write.
UPDATE log_head SET fence = fence + 1 RETURNING fence, origin, size, root

-- name: open_origin
-- A new origin: the first one, or the one after a restore that lost published entries.
INSERT INTO log_origin (number, origin, first_position, opened_at, vkey, follows) VALUES ($1, $2, $3, $4, $5, $6)

-- name: set_head_origin
-- Point the head at a new, empty origin.
INSERT INTO log_head (origin, size, root, fence, narrow_only_since, narrow_only_why)
VALUES ($1, 0, $2, 1, $3, $4)
ON CONFLICT (one) DO UPDATE SET origin = excluded.origin, size = 0, root = excluded.root,
    fence = log_head.fence + 1, narrow_only_since = excluded.narrow_only_since,
    narrow_only_why = excluded.narrow_only_why

-- name: allow_widening
-- A person confirmed that what devices hold was read again after a restore.
UPDATE log_head SET narrow_only_since = NULL, narrow_only_why = NULL

-- name: pending_bulk
-- The oldest waiting entries.
SELECT seq, lane, recorded_at, subjects, streams, draft FROM log_pending ORDER BY seq LIMIT $1

-- name: pending_control
-- The oldest waiting control entries.
SELECT seq, lane, recorded_at, subjects, streams, draft FROM log_pending WHERE lane = 0 ORDER BY seq LIMIT $1

-- name: pending_sharing
-- Older bulk entries that share a subject with control entries and therefore go first.
SELECT seq, lane, recorded_at, subjects, streams, draft FROM log_pending
WHERE lane = 1 AND seq < $1 AND subjects && $2::text[] ORDER BY seq LIMIT $3

-- name: pending_opening
-- The entry that opens a new origin.
SELECT seq, lane, recorded_at, subjects, streams, draft FROM log_pending WHERE subjects = $1::text[] ORDER BY seq LIMIT 1

-- name: opening_told
-- Whether the entry that opens an origin was recorded.
SELECT true FROM log_body WHERE subjects && $1::text[] AND kind = 'ledger:origin:open' AND body->>'origin' = $2 LIMIT 1

-- name: delete_pending
-- They have their places now.
DELETE FROM log_pending WHERE seq = ANY($1::bigint[])

-- name: find_streams
-- Where these streams stand.
SELECT name, number, position FROM log_stream WHERE origin = $1 AND name = ANY($2::text[])

-- name: move_streams
-- Where these streams stand after the batch.
INSERT INTO log_stream (origin, name, number, position)
SELECT $1, moved.* FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS moved (name, number, position)
ON CONFLICT (origin, name) DO UPDATE SET number = excluded.number, position = excluded.position

-- name: store_tile
-- A tile, new or grown.
INSERT INTO log_tile (origin, level, number, width, hashes) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (origin, level, number) DO UPDATE SET width = excluded.width, hashes = excluded.hashes
WHERE excluded.width > log_tile.width

-- name: find_tiles
-- Many tiles.
SELECT tile.level, tile.number, tile.width, tile.hashes FROM log_tile AS tile
JOIN unnest($2::smallint[], $3::bigint[]) AS wanted (level, number)
    ON wanted.level = tile.level AND wanted.number = tile.number
WHERE tile.origin = $1

-- name: store_checkpoint
-- A signed tree head.
INSERT INTO log_checkpoint (origin, size, note, signed_at) VALUES ($1, $2, $3, $4)

-- name: newest_checkpoint
-- The newest signed tree head of an origin.
SELECT size, note, signed_at FROM log_checkpoint WHERE origin = $1 ORDER BY size DESC LIMIT 1

-- name: move_head
-- Compare-and-set: only the sequencer that holds the fence, and only from where it thinks the log stands.
UPDATE log_head SET size = $3, root = $4 WHERE fence = $1 AND size = $2 RETURNING true

-- name: find_leaves
-- Leaves of a range of positions.
SELECT position, seq, recorded_at, leaf FROM log_leaf WHERE position >= $1 AND position < $2 ORDER BY position

-- name: read_entries
-- Entries from a position on, with what they say.
SELECT leaf.position, body.seq, body.id, body.kind, body.occurred_at, body.recorded_at, body.actor, body.subjects,
    body.heads, body.body, body.secret
FROM (SELECT position, seq, recorded_at FROM log_leaf WHERE position >= $1 ORDER BY position LIMIT $2) AS leaf
JOIN log_body AS body ON body.recorded_at = leaf.recorded_at AND body.seq = leaf.seq
ORDER BY leaf.position

-- name: make_reader
-- A reader's cursor, from the first position on.
INSERT INTO log_reader (name) VALUES ($1) ON CONFLICT DO NOTHING

-- name: claim_reader
-- The cursor, for the one process that handles the next batch.
SELECT position FROM log_reader WHERE name = $1 FOR UPDATE SKIP LOCKED

-- name: move_reader
-- Compare-and-set of a cursor.
UPDATE log_reader SET position = $3, moved_at = $4 WHERE name = $1 AND position = $2 RETURNING true

-- name: pass_over
-- Readers' cursors, moved to the next entry that is not of the kinds they pass over; returns the longest way. A cursor that
-- its reader holds stays. Readers stand at few different places, so that each stretch is read once for all of them.
WITH held AS MATERIALIZED (
    SELECT reader.name, reader.position, asked.pattern
    FROM log_reader AS reader JOIN unnest($1::text[], $2::text[]) AS asked (name, pattern) ON asked.name = reader.name
    WHERE reader.position <= (SELECT max(position) FROM log_leaf) FOR UPDATE OF reader SKIP LOCKED
), reached AS (
    SELECT place.position, place.pattern,
        coalesce(min(ahead.position) FILTER (WHERE ahead.kind !~ place.pattern), max(ahead.position) + 1) AS next
    FROM (SELECT DISTINCT position, pattern FROM held) AS place
    CROSS JOIN LATERAL (
        SELECT leaf.position, body.kind
        FROM (SELECT position, seq, recorded_at FROM log_leaf WHERE position >= place.position
              ORDER BY position LIMIT $3) AS leaf
        JOIN log_body AS body ON body.recorded_at = leaf.recorded_at AND body.seq = leaf.seq) AS ahead
    GROUP BY place.position, place.pattern
), moved AS (
    UPDATE log_reader AS reader SET position = reached.next, moved_at = $4
    FROM held JOIN reached ON reached.position = held.position AND reached.pattern = held.pattern
    WHERE reader.name = held.name AND reader.position = held.position AND reached.next > held.position
    RETURNING reached.next - held.position AS way
)
SELECT max(way) FROM moved

-- name: readers
-- All cursors.
SELECT name, position, moved_at FROM log_reader ORDER BY name

-- name: end_position
-- One past the last sequenced position.
SELECT origin.first_position + head.size FROM log_head AS head JOIN log_origin AS origin ON origin.number = head.origin
