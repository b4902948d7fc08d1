-- Where locks lie, and nothing more: what the pages of one area need of many locks.

-- name: places_of
-- Area and unit of some cylinders.
SELECT fact.cylinder_id, area.code AS area, unit.code AS unit
FROM plant_cylinder_fact AS fact
JOIN plant_access_point AS point ON point.id = fact.access_point_id
JOIN plant_area AS area ON area.id = point.area_id
LEFT JOIN plant_unit AS unit ON unit.id = point.unit_id
WHERE fact.cylinder_id = ANY($1::uuid[]) AND upper_inf(fact.known) AND upper_inf(fact.during)
