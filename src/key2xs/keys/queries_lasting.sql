-- How long keys go on working when nothing further reaches them.

-- name: lasting_keys
-- Keys that somebody has and that may open something now, the first to run out first. `until` is the first of its
-- cylinders, `last` the last one; empty: not sure even now. In a system that is down only what is surely in the key
-- counts; elsewhere the allowance itself.
SELECT key.id AS key_id, key.stamp, key.system_id, key.kind, custody.person_id, count(*) AS cylinders,
    count(*) FILTER (WHERE part.until IS NULL OR part.until <= $2) AS unsure,
    min(part.until) FILTER (WHERE part.until > $2) AS until, max(part.until) AS last
FROM key_may_open AS opener
JOIN key_key AS key ON key.id = opener.key_id
JOIN key_custody AS custody ON custody.key_id = key.id AND upper_inf(custody.known) AND custody.during @> $2::timestamptz
CROSS JOIN LATERAL (SELECT CASE WHEN key.system_id = ANY($1::uuid[])
    THEN CASE WHEN opener.works_until IS NOT NULL THEN least(opener.works_until, opener.allowed_until) END
    ELSE opener.allowed_until END AS until) AS part
WHERE opener.gone_at = 'infinity' AND opener.kind = 'still_allowed'
GROUP BY key.id, key.stamp, key.system_id, key.kind, custody.person_id
ORDER BY (min(part.until) FILTER (WHERE part.until > $2)) NULLS FIRST, key.stamp LIMIT $3

-- name: lasting_places
-- For each place (a role in a unit): how many cylinders its grants cover, for how many some key of its holders surely
-- works now, until when that holds for all of these, and which cylinder is the first to be lost.
WITH part AS (
    SELECT asked.place, covers.cylinder_id, max(
        CASE WHEN opener.key_id IS NULL THEN NULL
        WHEN NOT key.system_id = ANY($4::uuid[]) THEN asked.ends_at
        WHEN opener.works_until IS NOT NULL THEN least(opener.works_until, asked.ends_at) END) AS until
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS asked (grant_id, place, ends_at)
    JOIN grant_covers AS covers ON covers.grant_id = asked.grant_id
    JOIN unnest($1::uuid[], $5::uuid[]) AS held (grant_id, person_id) ON held.grant_id = asked.grant_id
    LEFT JOIN key_custody AS custody ON custody.person_id = held.person_id AND upper_inf(custody.known)
        AND custody.during @> $6::timestamptz
    LEFT JOIN key_key AS key ON key.id = custody.key_id AND key.blocked_at IS NULL
    LEFT JOIN key_may_open AS opener ON opener.key_id = key.id AND opener.cylinder_id = covers.cylinder_id
        AND opener.gone_at = 'infinity' AND opener.kind = 'still_allowed'
    GROUP BY asked.place, covers.cylinder_id
)
SELECT place, count(*) AS cylinders, count(*) FILTER (WHERE until > $6) AS sure,
    min(until) FILTER (WHERE until > $6) AS until,
    (array_agg(cylinder_id ORDER BY until, cylinder_id) FILTER (WHERE until > $6))[1] AS first_lost
FROM part GROUP BY place ORDER BY place

-- name: standing_keys
-- Until when keys under seal surely work by the rights that are in them.
SELECT opener.key_id, count(*) AS cylinders, count(*) FILTER (WHERE opener.works_until IS NULL) AS unsure,
    min(opener.works_until) AS until
FROM key_may_open AS opener WHERE opener.key_id = ANY($1::uuid[]) AND opener.gone_at = 'infinity'
GROUP BY opener.key_id

-- name: systems
-- All key systems by name.
SELECT id, name FROM key_system ORDER BY name
