-- Statements of the access room.

-- name: insert_user
-- A new user.
INSERT INTO access_user (id, login_ref, login, display_name, person_id, roles, password, one_time, made_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: find_login
-- Who signs in under this name; the row is locked, so that a one-time password is used once.
SELECT * FROM access_user WHERE login_ref = $1 FOR UPDATE

-- name: is_login_taken
-- Whether a user of this name exists.
SELECT true FROM access_user WHERE login_ref = $1

-- name: is_person_taken
-- Whether a person is linked to a user other than this one.
SELECT true FROM access_user WHERE person_id = $1 AND id <> $2

-- name: get_user
-- One user.
SELECT * FROM access_user WHERE id = $1

-- name: user_of_person
-- The user that is linked to a person.
SELECT * FROM access_user WHERE person_id = $1

-- name: lock_user
-- One user, for change.
SELECT * FROM access_user WHERE id = $1 FOR UPDATE

-- name: list_users
-- Users in the order of their ids, a page at a time.
SELECT * FROM access_user WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2

-- name: count_users
-- Whether this installation has any user yet.
SELECT count(*) FROM access_user

-- name: set_roles
-- What a user may do, and which person they are.
UPDATE access_user SET roles = $2, person_id = $3, entry = $4 WHERE id = $1

-- name: set_password
-- How a user signs in.
UPDATE access_user SET password = $2, one_time = $3, entry = $4 WHERE id = $1

-- name: disable_user
-- A user who may no longer sign in; nothing is deleted.
UPDATE access_user SET disabled_at = $2, password = NULL, entry = $3 WHERE id = $1

-- name: mark_altered
-- Somebody else made, linked or gave a password to a user.
UPDATE access_user SET altered_at = $2, entry = $3 WHERE id = $1

-- name: mark_administered
-- A user, or the owner of a token, changed another user.
UPDATE access_user SET administered_at = $2, entry = $3
WHERE id = $1 OR id = (SELECT owner_id FROM access_token WHERE id = $1)

-- name: mark_signed_in
-- A user signed in.
UPDATE access_user SET signed_in_at = $2, entry = $3 WHERE id = $1

-- name: list_sessions
-- Sessions that have not ended, the newest first.
SELECT id, user_id, made_at, seen_at, ends_at FROM access_session
WHERE ($1::uuid IS NULL OR user_id = $1) AND ends_at > $2 AND seen_at > $3 ORDER BY made_at DESC, id LIMIT $4

-- name: session_owner
-- Whose session it is.
SELECT user_id FROM access_session WHERE id = $1

-- name: end_session_by_id
-- One session ends, by its handle.
DELETE FROM access_session WHERE id = $1

-- name: note_token_use
-- The day a token was last used.
INSERT INTO access_token_use (token_id, used_on) VALUES ($1, $2)
ON CONFLICT (token_id) DO UPDATE SET used_on = excluded.used_on

-- name: insert_session
-- A session begins; only the hash of its secret is kept.
INSERT INTO access_session (digest, user_id, made_at, seen_at, ends_at, one_time) VALUES ($1, $2, $3, $3, $4, $5)

-- name: find_session
-- A session that has not ended and was not left alone too long, with its user.
SELECT session.digest, session.seen_at, session.ends_at, session.one_time AS session_one_time, account.id,
    account.person_id, account.roles
FROM access_session AS session JOIN access_user AS account ON account.id = session.user_id
WHERE session.digest = $1 AND session.ends_at > $2 AND session.seen_at > $3 AND account.disabled_at IS NULL

-- name: touch_session
-- Somebody is still there.
UPDATE access_session SET seen_at = $2 WHERE digest = $1

-- name: end_session
-- One session ends.
DELETE FROM access_session WHERE digest = $1

-- name: end_sessions
-- All sessions of a user end.
DELETE FROM access_session WHERE user_id = $1

-- name: sweep_sessions
-- Sessions that are over.
DELETE FROM access_session WHERE ends_at <= $1 OR seen_at <= $2

-- name: insert_token
-- A new API token.
INSERT INTO access_token (id, digest, label, owner_id, permissions, made_at, expires_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: find_token
-- A token that is in force, with its owner.
SELECT token.id, token.permissions, account.id AS owner_id, account.person_id, account.roles, last.used_on
FROM access_token AS token JOIN access_user AS account ON account.id = token.owner_id
LEFT JOIN access_token_use AS last ON last.token_id = token.id
WHERE token.digest = $1 AND token.revoked_at IS NULL AND token.expires_at > $2 AND account.disabled_at IS NULL

-- name: list_tokens
-- All tokens, the newest first.
SELECT token.*, last.used_on FROM access_token AS token
LEFT JOIN access_token_use AS last ON last.token_id = token.id
WHERE $1::uuid IS NULL OR token.owner_id = $1 ORDER BY token.made_at DESC, token.id LIMIT $2

-- name: lock_token
-- One token, for change.
SELECT * FROM access_token WHERE id = $1 FOR UPDATE

-- name: revoke_token
-- A token that counts no more.
UPDATE access_token SET revoked_at = $2, entry = $3 WHERE id = $1

-- name: insert_proposal
-- An act that waits for a second person.
INSERT INTO access_proposal (id, kind, subject, payload, reason_sealed, proposed_by, proposed_at, expires_at, state,
    entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)

-- name: find_act
-- Acts of a user's very request that wait, or that a second person confirmed and that were not done yet.
SELECT * FROM access_proposal
WHERE kind IN ('act', 'history') AND proposed_by = $1 AND payload->>'digest' = $2 AND used_at IS NULL
  AND expires_at > $3 AND state IN ('open', 'confirmed')
ORDER BY state, id DESC LIMIT 1 FOR UPDATE

-- name: use_act
-- A confirmed act is being done.
UPDATE access_proposal SET used_at = $2, entry = $3 WHERE id = $1

-- name: get_proposal
-- One proposal.
SELECT * FROM access_proposal WHERE id = $1

-- name: lock_proposal
-- One proposal, for a decision.
SELECT * FROM access_proposal WHERE id = $1 FOR UPDATE

-- name: list_proposals
-- Proposals, the newest first; only those that wait, if asked.
SELECT * FROM access_proposal
WHERE ($1::timestamptz IS NULL OR (state = 'open' AND expires_at > $1)) AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC LIMIT $3

-- name: decide_proposal
-- What the second person said.
UPDATE access_proposal SET state = $2, decided_by = $3, decided_at = $4, entry = $5 WHERE id = $1

-- name: begin_answer
-- Reserve a key for an act; waits for another request with the same key to end.
INSERT INTO access_answer (caller, key, digest, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true

-- name: find_answer
-- What the first request with this key was, and was answered.
SELECT digest, status, body FROM access_answer WHERE caller = $1 AND key = $2

-- name: put_answer
-- The answer of the first request.
UPDATE access_answer SET status = $3, body = $4 WHERE caller = $1 AND key = $2

-- name: sweep_answers
-- Answers nobody repeats any more.
DELETE FROM access_answer WHERE made_at <= $1
