-- Finding a cylinder by what somebody calls it, and nothing more: two index look-ups.

-- name: name_cylinder
-- Cylinders of an id, stamp or vendor id; an id wins.
SELECT id, marking, vendor, 0 AS place FROM plant_cylinder WHERE id = $1
UNION
SELECT id, marking, vendor, 1 AS place FROM plant_cylinder WHERE lower(marking) = lower($2)
UNION
SELECT id, marking, vendor, 1 AS place FROM plant_cylinder WHERE external_id = $2
ORDER BY place LIMIT 2
