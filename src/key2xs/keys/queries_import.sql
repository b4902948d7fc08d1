-- Statements of the import of keys.

-- name: system_of_name
-- A key system by its configured name, or by the locking system that its vendor's cylinders name.
SELECT id FROM key_system WHERE name = $1
UNION
SELECT system.id FROM key_system AS system
WHERE EXISTS (SELECT 1 FROM plant_cylinders WHERE vendor = system.vendor AND locking_system = $1)
