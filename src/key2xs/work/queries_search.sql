-- Finding permits by their number.

-- name: search_permits
-- Permits whose number or id at the source is $1 (0), whose number begins with it (1) or contains it (2, pattern $3).
SELECT found.place, permit.id, permit.number, permit.source, permit.area, permit.unit, permit.type
FROM (SELECT id, min(place) AS place FROM (
    (SELECT id, 0 AS place FROM work_permit WHERE lower(number) = $1 LIMIT $4)
    UNION ALL
    (SELECT id, 0 FROM work_permit WHERE external_id = $5 LIMIT $4)
    UNION ALL
    (SELECT id, 1 FROM work_permit WHERE lower(number) ~>~ $1 AND lower(number) ~<~ $2
     ORDER BY lower(number) USING ~<~ LIMIT $4)
    UNION ALL
    (SELECT id, 2 FROM work_permit
     WHERE lower(number) LIKE $3 LIMIT $4)
) AS fits GROUP BY id) AS found JOIN work_permit AS permit ON permit.id = found.id
ORDER BY found.place, permit.number, permit.source LIMIT $4
