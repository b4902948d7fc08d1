-- Finding locks and access points by what is printed on them.

-- name: search_stamps
-- Cylinders whose stamp or vendor id is $1 (0), whose stamp begins with it (1) or contains it (2, by the pattern $3).
SELECT id, min(place) AS place FROM (
    (SELECT id, 0 AS place FROM plant_cylinder WHERE lower(marking) = $1 LIMIT $4)
    UNION ALL
    (SELECT id, 0 FROM plant_cylinder WHERE external_id = $5 LIMIT $4)
    UNION ALL
    (SELECT id, 1 FROM plant_cylinder WHERE lower(marking) ~>~ $1 AND lower(marking) ~<~ $2
     ORDER BY lower(marking) USING ~<~ LIMIT $4)
    UNION ALL
    (SELECT id, 2 FROM plant_cylinder
     WHERE lower(marking) LIKE $3 LIMIT $4)
) AS found
GROUP BY id ORDER BY min(place), id LIMIT $4

-- name: search_points
-- Access points whose code is $1 (0), begins with it (1), or whose code or name contains it (2, by the pattern $3).
SELECT id, min(place) AS place FROM (
    (SELECT id, 0 AS place FROM plant_access_point WHERE lower(code) = $1 LIMIT $4)
    UNION ALL
    (SELECT id, 1 FROM plant_access_point WHERE lower(code) ~>~ $1 AND lower(code) ~<~ $2
     ORDER BY lower(code) USING ~<~ LIMIT $4)
    UNION ALL
    (SELECT id, 2 FROM plant_access_point
     WHERE lower(code || ' ' || name) LIKE $3 LIMIT $4)
) AS found
GROUP BY id ORDER BY min(place), id LIMIT $4
