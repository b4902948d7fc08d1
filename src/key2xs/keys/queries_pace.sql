-- How many calls each key system was given.

-- name: pace
-- What was used so far.
SELECT day, used, in_background, next_call_at, standing FROM key_pace WHERE system_id = $1

-- name: hold_pace
-- The same, held until the end of the transaction.
SELECT day, used, in_background, next_call_at, standing FROM key_pace WHERE system_id = $1 FOR UPDATE

-- name: make_pace
-- A key system that no call was counted for yet.
INSERT INTO key_pace (system_id, day) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: put_pace
-- A block of calls was taken.
UPDATE key_pace SET day = $2, used = $3, in_background = $4, next_call_at = $5, standing = $6 WHERE system_id = $1
