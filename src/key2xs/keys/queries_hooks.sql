-- Statements about calls from key systems: subscriptions, wake-ups, and signing in again.

-- name: take_sign_in
-- One worker takes up what a person asked for after the refusal; each wish is taken up once.
INSERT INTO key_sign_in (system_id, account, asked_at)
SELECT id, $2, sign_in_again_at FROM key_system WHERE id = $1 AND sign_in_again_at > $3
ON CONFLICT (system_id, account) DO UPDATE SET asked_at = excluded.asked_at, worked = false
WHERE key_sign_in.asked_at < excluded.asked_at
RETURNING true

-- name: sign_in_worked
-- Whether the last wish since the refusal let somebody in.
SELECT taken.worked FROM key_sign_in AS taken JOIN key_system AS system ON system.id = taken.system_id
WHERE taken.system_id = $1 AND taken.account = $2 AND taken.asked_at > $3 AND taken.asked_at = system.sign_in_again_at

-- name: note_signed_in
-- Somebody got in, so the others need not wait.
UPDATE key_sign_in SET worked = true WHERE system_id = $1 AND account = $2 AND NOT worked

-- name: ask_sign_in
-- A person wants signing in tried again.
UPDATE key_system SET sign_in_again_at = $2, entry = $3 WHERE id = $1

-- name: live_hooks
-- Subscriptions that are not known to be gone, the one that ends last first.
SELECT id, event, url, sealed, ends_at, made_at FROM key_hook WHERE system_id = $1 AND gone_at IS NULL
ORDER BY ends_at DESC, id

-- name: hook
-- One subscription.
SELECT id, event, sealed FROM key_hook WHERE system_id = $1 AND id = $2 AND gone_at IS NULL

-- name: ask_hook
-- A subscription that the vendor will be asked for.
INSERT INTO key_hook (id, system_id, event, url, sealed, ends_at, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: hook_made
-- A subscription that the vendor has made, with the key it signs with.
UPDATE key_hook SET made_at = $2, sealed = $3, entry = $4 WHERE id = $1

-- name: hook_gone
-- A subscription that is no more.
UPDATE key_hook SET gone_at = $2, entry = $3 WHERE id = $1 AND gone_at IS NULL

-- name: call_wake
-- Something is worth reading. What was asked for and not taken up yet covers this as well.
INSERT INTO key_wake (system_id, what, asked_at) VALUES ($1, $2, $3)
ON CONFLICT (system_id, what) DO UPDATE SET asked_at = excluded.asked_at, taken_at = NULL
WHERE key_wake.taken_at IS NOT NULL

-- name: waiting_wakes
-- What is worth reading and was not taken up.
SELECT what FROM key_wake WHERE system_id = $1 AND taken_at IS NULL ORDER BY what

-- name: take_wake
-- One of them is taken up.
UPDATE key_wake SET taken_at = $3 WHERE system_id = $1 AND what = $2 AND taken_at IS NULL RETURNING what

-- name: read_key_soon
-- A key is read at the next step of the reconciler.
UPDATE key_work AS work SET next_at = least(work.next_at, $3), marks = work.marks + 1
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
WHERE target.id = work.target_id AND key.system_id = $1 AND key.external_id = $2 RETURNING key.id

-- name: heard
-- How a system is subscribed, and when it called last.
SELECT (SELECT count(*) FROM key_hook WHERE system_id = $1 AND gone_at IS NULL AND made_at IS NOT NULL AND ends_at > $2) AS live,
    (SELECT min(ends_at) FROM key_hook WHERE system_id = $1 AND gone_at IS NULL AND made_at IS NOT NULL AND ends_at > $2) AS until,
    (SELECT max(asked_at) FROM key_wake WHERE system_id = $1) AS heard_at

-- name: tried_locks
-- What people found at locks of a system; *unknown* takes back what was said before.
SELECT lock_external_id, honours_limits FROM key_lock_check WHERE system_id = $1 AND honours_limits <> 'unknown'

-- name: find_lock
-- Locks of a system by the vendor's id or by the marking.
SELECT lock.external_id, lock.marking, lock.honours_limits, cylinder.id AS cylinder_id
FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
LEFT JOIN plant_cylinders AS cylinder ON cylinder.vendor = system.vendor AND cylinder.external_id = lock.external_id
WHERE lock.system_id = $1 AND (lock.external_id = lower($2) OR lock.marking = $2)

-- name: put_lock_check
-- What a person found at a lock.
INSERT INTO key_lock_check (system_id, lock_external_id, honours_limits, checked_at, entry) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (system_id, lock_external_id) DO UPDATE SET honours_limits = excluded.honours_limits,
    checked_at = excluded.checked_at, entry = excluded.entry

-- name: set_honours
-- A lock as a person found it.
UPDATE key_lock SET honours_limits = $3, entry = $4 WHERE system_id = $1 AND external_id = $2

-- name: read_openers_soon
-- Every key that may open a cylinder is looked at again: until when it may was worked out otherwise before.
UPDATE key_work AS work SET next_at = least(work.next_at, $2), marks = work.marks + 1
FROM key_target AS target WHERE target.id = work.target_id
    AND target.key_id IN (SELECT key_id FROM key_may_open WHERE cylinder_id = $1)
