-- What the live pages ask of the keys room: only what is open now, each list in one statement.

-- name: alarms
-- Openings that need an explanation, read since an instant, the newest first.
SELECT * FROM key_event
WHERE class IN ('unexplained', 'after_end', 'undated') AND arrived_at > $1 ORDER BY arrived_at DESC, id LIMIT $2

-- name: after_end
-- Keys of ours that may still open something that no grant covers any more, those without an end first. A key that
-- was neither adopted nor blocked holds rights from before; nothing of them was ended.
SELECT opener.key_id, key.stamp, max(opener.person_id::text)::uuid AS person_id, key.system_id,
    array_agg(opener.cylinder_id) AS cylinders, max(opener.exposed_until) AS until, min(opener.since) AS since
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
WHERE opener.gone_at = 'infinity' AND opener.kind IN ('bound', 'no_bound') AND opener.exposed_until > $1
    AND (key.adopted_at IS NOT NULL OR key.blocked_at IS NOT NULL)
GROUP BY opener.key_id, key.stamp, key.system_id ORDER BY max(opener.exposed_until) DESC, key.stamp LIMIT $2

-- name: unfinished
-- Keys whose program needs a person, or waits for contact since before an instant; with the locks it is about.
SELECT target.*, key.stamp, key.external_id, system.vendor,
    ARRAY(SELECT DISTINCT covers.cylinder_id FROM grant_covers AS covers
          WHERE covers.grant_id = ANY(target.grants)) AS cylinders
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
JOIN key_system AS system ON system.id = target.system_id
WHERE (target.delivered_at IS NULL OR target.problem IS NOT NULL)
    AND (target.problem IS NOT NULL OR target.asked_at < $1)
ORDER BY (target.problem IS NULL), target.asked_at LIMIT $2

-- name: keys_with_ids
-- Some keys.
SELECT * FROM key_key WHERE id = ANY($1::uuid[])

-- name: stamps_of_people
-- The stamps of the keys that people have at an instant, as known now.
SELECT custody.person_id, array_agg(key.stamp ORDER BY key.stamp) AS stamps
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
WHERE custody.person_id = ANY($1::uuid[]) AND upper_inf(custody.known) AND custody.during @> $2::timestamptz
GROUP BY custody.person_id

-- name: keys_of_some
-- The keys that people have, each with how far its program is, how many locks a grant lets it open, and what it can
-- still open although that was ended.
SELECT key.*, custody.person_id, lower(custody.during) AS handed_out_at, system.name AS system_name, system.vendor,
    target.accepted_at, target.delivered_at, target.problem, target.asked_at,
    coalesce(opens.allowed, 0)::int AS allowed, coalesce(opens.left_over, 0)::int AS left_over, opens.until, opens.since
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
JOIN key_system AS system ON system.id = key.system_id
LEFT JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'still_allowed') AS allowed,
        count(*) FILTER (WHERE kind IN ('bound', 'no_bound') AND exposed_until > $2) AS left_over,
        max(exposed_until) FILTER (WHERE kind IN ('bound', 'no_bound') AND exposed_until > $2) AS until,
        min(since) FILTER (WHERE kind IN ('bound', 'no_bound') AND exposed_until > $2) AS since
    FROM key_may_open WHERE key_id = key.id AND gone_at = 'infinity'
) AS opens ON true
WHERE custody.person_id = ANY($1::uuid[]) AND upper_inf(custody.known) AND custody.during @> $2::timestamptz
ORDER BY (coalesce(opens.left_over, 0) = 0), opens.until DESC, key.stamp LIMIT $3

-- name: count_out
-- How many keys each person has at an instant, as known now.
SELECT person_id, count(*)::int AS keys FROM key_custody
WHERE upper_inf(known) AND during @> $1::timestamptz GROUP BY person_id

-- name: count_keys_out
-- How many keys are out at an instant, and how many of them should be back. Lost ones are not asked back.
SELECT count(*)::int AS total,
    count(*) FILTER (WHERE custody.due_at <= $1 AND report.id IS NULL)::int AS overdue,
    count(*) FILTER (WHERE custody.due_at > $1 AND custody.due_at <= $2)::int AS soon
FROM key_custody AS custody
LEFT JOIN key_report AS report ON report.key_id = custody.key_id AND report.ended_at IS NULL
WHERE upper_inf(custody.known) AND custody.during @> $1::timestamptz

-- name: longest_overdue
-- Keys that should be back, the longest overdue first, with the locks they may open.
SELECT key.id, key.stamp, custody.person_id, custody.due_at,
    ARRAY(SELECT cylinder_id FROM key_may_open WHERE key_id = key.id AND gone_at = 'infinity') AS cylinders
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
LEFT JOIN key_report AS report ON report.key_id = key.id AND report.ended_at IS NULL
WHERE upper_inf(custody.known) AND upper_inf(custody.during) AND custody.due_at <= $1 AND report.id IS NULL
ORDER BY custody.due_at, key.stamp LIMIT $2
