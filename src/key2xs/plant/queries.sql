-- Statements of the plant. "Current" means: as known now. Every GiST parameter is cast; an uncast one costs a
-- thousand times as much.

-- name: stored_areas
-- All areas, for an import.
SELECT id, code AS key_1, code_norm, name FROM plant_area

-- name: stored_units
-- All units, for an import.
SELECT id, code AS key_1, code_norm, name, area_id FROM plant_unit

-- name: stored_zones
-- All security zones with their criticality, for an import.
SELECT zone.id, zone.code AS key_1, zone.code_norm, zone.name, fact.criticality::int AS criticality
FROM plant_zone AS zone
JOIN plant_zone_fact AS fact ON fact.zone_id = zone.id AND upper_inf(fact.known) AND upper_inf(fact.during)

-- name: stored_assets
-- All assets, for an import.
SELECT id, scheme AS key_1, code AS key_2, code_norm, name, parent_id, unit_id FROM plant_asset

-- name: stored_access_points
-- All access points, for an import.
SELECT id, code AS key_1, code_norm, name, kind, area_id, unit_id, asset_id, lat, lon FROM plant_access_point

-- name: stored_cylinders
-- All cylinders with their newest facts, for an import.
SELECT cylinder.id, cylinder.locking_system AS key_1, cylinder.external_id AS key_2, cylinder.vendor,
    cylinder.marking, cylinder.cylinder_type, cylinder.online, cylinder.zone_ex, fact.access_point_id, fact.zone_id,
    fact.egress_free, fact.safety_role
FROM plant_cylinder AS cylinder
JOIN plant_cylinder_fact AS fact
    ON fact.cylinder_id = cylinder.id AND upper_inf(fact.known) AND upper_inf(fact.during)

-- name: stored_asset_cylinders
-- All links that hold, for an import.
SELECT link.asset_id AS id, asset.scheme AS key_1, asset.code AS key_2, cylinder.external_id AS key_3,
    link.role AS key_4, link.asset_id, link.cylinder_id, link.role, false AS ended
FROM plant_asset_cylinder AS link
JOIN plant_asset AS asset ON asset.id = link.asset_id
JOIN plant_cylinder AS cylinder ON cylinder.id = link.cylinder_id
WHERE upper_inf(link.known) AND upper_inf(link.during)

-- name: put_areas
-- Add an area or overwrite it; its key never changes.
INSERT INTO plant_area (id, entry, code, code_norm, name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, name = excluded.name

-- name: put_units
-- Add a unit or overwrite it.
INSERT INTO plant_unit (id, entry, code, code_norm, name, area_id) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, name = excluded.name, area_id = excluded.area_id

-- name: put_zones
-- Add a security zone or overwrite it; criticality and mode are facts of their own.
INSERT INTO plant_zone (id, entry, code, code_norm, name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, name = excluded.name

-- name: put_assets
-- Add an asset or overwrite it.
INSERT INTO plant_asset (id, entry, scheme, code, code_norm, name, parent_id, unit_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, name = excluded.name, parent_id = excluded.parent_id,
    unit_id = excluded.unit_id

-- name: put_access_points
-- Add an access point or overwrite it.
INSERT INTO plant_access_point (id, entry, code, code_norm, name, kind, area_id, unit_id, asset_id, lat, lon)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, name = excluded.name, kind = excluded.kind,
    area_id = excluded.area_id, unit_id = excluded.unit_id, asset_id = excluded.asset_id, lat = excluded.lat,
    lon = excluded.lon

-- name: put_cylinders
-- Add a cylinder or overwrite what no decision depends on.
INSERT INTO plant_cylinder (id, entry, locking_system, external_id, vendor, marking, cylinder_type, online, zone_ex)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, vendor = excluded.vendor, marking = excluded.marking,
    cylinder_type = excluded.cylinder_type, online = excluded.online, zone_ex = excluded.zone_ex

-- name: close_zone_fact
-- From this entry on we know better about everything from an instant on.
UPDATE plant_zone_fact SET known = int8range(lower(known), $2::bigint), entry = $2
WHERE zone_id = $1 AND upper_inf(known) AND during && tstzrange($3::timestamptz, NULL)
RETURNING criticality::int AS criticality, mode, lower(during) AS since

-- name: add_zone_fact
-- A zone's criticality and mode between two instants, known from this entry on.
INSERT INTO plant_zone_fact (zone_id, entry, criticality, mode, during, known)
VALUES ($1, $2, $3, $4, tstzrange($5::timestamptz, $6::timestamptz), int8range($2::bigint, NULL))

-- name: close_cylinder_fact
-- From this entry on we know better about everything from an instant on.
UPDATE plant_cylinder_fact SET known = int8range(lower(known), $2::bigint), entry = $2
WHERE cylinder_id = $1 AND upper_inf(known) AND during && tstzrange($3::timestamptz, NULL)
RETURNING access_point_id, zone_id, egress_free, safety_role, lower(during) AS since

-- name: add_cylinder_fact
-- Where a cylinder sits and how safe it is between two instants, known from this entry on.
INSERT INTO plant_cylinder_fact
    (cylinder_id, entry, access_point_id, zone_id, egress_free, safety_role, during, known)
VALUES ($1, $2, $3, $4, $5, $6, tstzrange($7::timestamptz, $8::timestamptz), int8range($2::bigint, NULL))

-- name: close_link
-- From this entry on we know that the link ended.
UPDATE plant_asset_cylinder SET known = int8range(lower(known), $4::bigint), entry = $4
WHERE asset_id = $1 AND cylinder_id = $2 AND role = $3 AND upper_inf(known)
    AND during && tstzrange($5::timestamptz, NULL)
RETURNING lower(during) AS since

-- name: add_link
-- A cylinder serves an asset between two instants, known from this entry on.
INSERT INTO plant_asset_cylinder (asset_id, cylinder_id, role, entry, during, known)
VALUES ($1, $2, $3, $4, tstzrange($5::timestamptz, $6::timestamptz), int8range($4::bigint, NULL))

-- name: list_areas
-- All areas.
SELECT id, code, name FROM plant_area ORDER BY code

-- name: list_units
-- All units.
SELECT id, code, name, area_id FROM plant_unit ORDER BY code

-- name: list_zones
-- All security zones as they are at an instant.
SELECT zone.id, zone.code, zone.name, fact.criticality::int AS criticality, fact.mode
FROM plant_zone AS zone
JOIN plant_zone_fact AS fact
    ON fact.zone_id = zone.id AND upper_inf(fact.known) AND fact.during @> coalesce($1::timestamptz, 'infinity')
WHERE $2::uuid IS NULL OR zone.id = $2
ORDER BY zone.code

-- name: zone_history
-- How a zone came to its mode, as known now.
SELECT mode, criticality::int AS criticality, lower(during) AS since, entry FROM plant_zone_fact
WHERE zone_id = $1 AND upper_inf(known) ORDER BY lower(during)

-- name: find_area
-- An area by its code, or by the second form of it.
SELECT id, code, name FROM plant_area WHERE code = $1 OR code_norm = $2 ORDER BY (code = $1) DESC, code LIMIT 2

-- name: find_unit
-- A unit by its code, or by the second form of it.
SELECT id, code, name, area_id FROM plant_unit WHERE code = $1 OR code_norm = $2
ORDER BY (code = $1) DESC, code LIMIT 2

-- name: find_assets
-- Assets with these codes, or whose second form is the same.
SELECT asset.id, asset.scheme, asset.code, wanted.code AS wanted
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (scheme, code, norm)
JOIN plant_asset AS asset
    ON asset.scheme = wanted.scheme AND (asset.code = wanted.code OR asset.code_norm = wanted.norm)

-- name: get_asset
-- One asset.
SELECT id, scheme, code, name, parent_id, unit_id FROM plant_asset WHERE id = $1

-- name: cylinders_of_assets
-- The cylinders that serve these assets at an instant.
SELECT asset_id, cylinder_id, role FROM plant_asset_cylinder
WHERE asset_id = ANY($1::uuid[]) AND upper_inf(known) AND during @> coalesce($2::timestamptz, 'infinity')
ORDER BY asset_id, cylinder_id, role

-- name: assets_of_cylinder
-- The assets a cylinder serves at an instant.
SELECT asset.id, asset.scheme, asset.code, asset.name, asset.parent_id, asset.unit_id
FROM plant_asset_cylinder AS link JOIN plant_asset AS asset ON asset.id = link.asset_id
WHERE link.cylinder_id = $1 AND upper_inf(link.known) AND link.during @> coalesce($2::timestamptz, 'infinity')
ORDER BY asset.scheme, asset.code

-- name: find_access_points
-- Access points with these codes, or whose second form is the same.
SELECT point.id, point.code, wanted.code AS wanted
FROM unnest($1::text[], $2::text[]) AS wanted (code, norm)
JOIN plant_access_point AS point ON point.code = wanted.code OR point.code_norm = wanted.norm

-- name: cylinders_of_access_points
-- The cylinders at these access points at an instant.
SELECT access_point_id, cylinder_id FROM plant_cylinder_fact
WHERE access_point_id = ANY($1::uuid[]) AND upper_inf(known) AND during @> coalesce($2::timestamptz, 'infinity')
ORDER BY access_point_id, cylinder_id

-- name: cylinder_facts
-- What decisions read about cylinders at an instant: as known now ($3 null) or as known at an entry.
SELECT fact.cylinder_id, fact.access_point_id, fact.zone_id, fact.egress_free, fact.safety_role, zone.code AS zone,
    zone_fact.criticality::int AS criticality, zone_fact.mode, point.unit_id
FROM plant_cylinder_fact AS fact
JOIN plant_zone AS zone ON zone.id = fact.zone_id
JOIN plant_zone_fact AS zone_fact
    ON zone_fact.zone_id = fact.zone_id AND zone_fact.during @> coalesce($2::timestamptz, 'infinity')
    AND CASE WHEN $3::bigint IS NULL THEN upper_inf(zone_fact.known) ELSE zone_fact.known @> $3::bigint END
JOIN plant_access_point AS point ON point.id = fact.access_point_id
WHERE fact.cylinder_id = ANY($1::uuid[]) AND fact.during @> coalesce($2::timestamptz, 'infinity')
    AND CASE WHEN $3::bigint IS NULL THEN upper_inf(fact.known) ELSE fact.known @> $3::bigint END

-- name: list_cylinders
-- Cylinders with everything a page says about them, as known now and true at the newest instant.
SELECT cylinder.id, cylinder.marking, cylinder.vendor, cylinder.locking_system, cylinder.external_id,
    cylinder.cylinder_type, cylinder.online, fact.access_point_id, point.code AS access_point,
    point.name AS access_point_name, point.kind AS access_point_kind, area.code AS area, point.unit_id,
    unit.code AS unit, fact.zone_id, zone.code AS zone, zone_fact.criticality::int AS criticality,
    zone_fact.mode AS zone_mode, fact.egress_free, fact.safety_role
FROM plant_cylinder AS cylinder
JOIN plant_cylinder_fact AS fact
    ON fact.cylinder_id = cylinder.id AND upper_inf(fact.known) AND upper_inf(fact.during)
JOIN plant_zone AS zone ON zone.id = fact.zone_id
JOIN plant_zone_fact AS zone_fact
    ON zone_fact.zone_id = zone.id AND upper_inf(zone_fact.known) AND upper_inf(zone_fact.during)
JOIN plant_access_point AS point ON point.id = fact.access_point_id
JOIN plant_area AS area ON area.id = point.area_id
LEFT JOIN plant_unit AS unit ON unit.id = point.unit_id
WHERE ($1::uuid[] IS NULL OR cylinder.id = ANY($1))
    AND ($2::uuid IS NULL OR fact.zone_id = $2)
    AND ($3::uuid IS NULL OR fact.access_point_id = $3)
    AND ($4::text IS NULL OR lower(cylinder.marking) = lower($4) OR cylinder.external_id = $4)
    AND ($5::uuid IS NULL OR cylinder.id > $5)
ORDER BY cylinder.id
LIMIT $6

-- name: search_cylinders
-- Cylinders whose stamp, vendor id or access point contains a text; for the search box.
SELECT cylinder.id FROM plant_cylinder AS cylinder
JOIN plant_cylinder_fact AS fact
    ON fact.cylinder_id = cylinder.id AND upper_inf(fact.known) AND upper_inf(fact.during)
JOIN plant_access_point AS point ON point.id = fact.access_point_id
WHERE position(lower($1) IN lower(cylinder.marking)) > 0 OR position(lower($1) IN lower(point.code)) > 0
    OR position(lower($1) IN lower(point.name)) > 0 OR cylinder.external_id = $1
ORDER BY cylinder.marking LIMIT $2

-- name: list_access_points
-- Access points with their places.
SELECT point.id, point.code, point.name, point.kind, point.area_id, area.code AS area, point.unit_id,
    unit.code AS unit, point.asset_id, point.lat, point.lon
FROM plant_access_point AS point
JOIN plant_area AS area ON area.id = point.area_id
LEFT JOIN plant_unit AS unit ON unit.id = point.unit_id
WHERE ($1::uuid[] IS NULL OR point.id = ANY($1)) AND ($2::text IS NULL OR point.code = $2)
    AND ($3::uuid IS NULL OR point.id > $3)
ORDER BY point.id
LIMIT $4

-- name: cylinders_of_area
-- The cylinders that lie in an area, for an area stop.
SELECT fact.cylinder_id FROM plant_cylinder_fact AS fact
JOIN plant_access_point AS point ON point.id = fact.access_point_id
WHERE point.area_id = $1 AND upper_inf(fact.known) AND upper_inf(fact.during)
ORDER BY fact.cylinder_id

-- name: cylinders_of_unit
-- The cylinders at access points of a unit, at an instant or now.
SELECT fact.cylinder_id FROM plant_cylinder_fact AS fact
JOIN plant_access_point AS point ON point.id = fact.access_point_id
WHERE point.unit_id = $1 AND upper_inf(fact.known)
  AND CASE WHEN $2::timestamptz IS NULL THEN upper_inf(fact.during) ELSE fact.during @> $2::timestamptz END
ORDER BY fact.cylinder_id
