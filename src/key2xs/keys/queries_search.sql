-- Finding keys by what is printed on them.

-- name: search_keys
-- Keys whose stamp is $1 (0), begins with it (1) or contains it (2, by the pattern $3), the nearest first.
SELECT found.place, key.*, system.name AS system_name, system.vendor FROM (SELECT id, min(place) AS place FROM (
    (SELECT id, 0 AS place FROM key_key WHERE lower(stamp) = $1 LIMIT $4)
    UNION ALL
    (SELECT id, 1 FROM key_key WHERE lower(stamp) ~>~ $1 AND lower(stamp) ~<~ $2
     ORDER BY lower(stamp) USING ~<~ LIMIT $4)
    UNION ALL
    (SELECT id, 2 FROM key_key WHERE lower(stamp) LIKE $3 LIMIT $4)
) AS fits GROUP BY id) AS found
JOIN key_key AS key ON key.id = found.id JOIN key_system AS system ON system.id = key.system_id
ORDER BY found.place, key.stamp, system.name LIMIT $4
