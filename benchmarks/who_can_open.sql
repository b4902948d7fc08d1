-- Fills plant and projection for benchmarks/who_can_open.py; run by the owner, who may switch the entry guard off.
-- :cylinders, :generations, :open_each and :now are filled in by the caller.

CREATE FUNCTION pg_temp.made_id(noun text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-7000-' || noun || '-' || lpad(to_hex(n), 12, '0'))::uuid
$$;

ALTER TABLE plant_area DISABLE TRIGGER USER;
ALTER TABLE plant_zone DISABLE TRIGGER USER;
ALTER TABLE plant_zone_fact DISABLE TRIGGER USER;
ALTER TABLE plant_access_point DISABLE TRIGGER USER;
ALTER TABLE plant_cylinder DISABLE TRIGGER USER;
ALTER TABLE plant_cylinder_fact DISABLE TRIGGER USER;
ALTER TABLE key_system DISABLE TRIGGER USER;
ALTER TABLE key_key DISABLE TRIGGER USER;
ALTER TABLE key_may_open DISABLE TRIGGER USER;

INSERT INTO plant_area (id, code, code_norm, name, entry)
VALUES (pg_temp.made_id('8001', 1), 'A', 'A', 'Area', 1);
INSERT INTO plant_zone (id, code, code_norm, name, entry)
VALUES (pg_temp.made_id('8002', 1), 'Z', 'Z', 'Zone', 1);
INSERT INTO plant_zone_fact (zone_id, criticality, mode, during, known, entry)
VALUES (pg_temp.made_id('8002', 1), 2, 'enforce', '[2020-01-01,)', '[1,)', 1);
INSERT INTO plant_access_point (id, code, code_norm, name, kind, area_id, entry)
SELECT pg_temp.made_id('8003', n), 'AP-' || n, 'AP' || n, 'Point ' || n, 'cabinet', pg_temp.made_id('8001', 1), 1
FROM generate_series(1, :cylinders) AS n;
INSERT INTO plant_cylinder (id, vendor, locking_system, external_id, marking, cylinder_type, online, entry)
SELECT pg_temp.made_id('8004', n), 'iloq', 'ls', 'v' || n, 'C-' || n, 'cabinet', false, 1
FROM generate_series(1, :cylinders) AS n;
INSERT INTO plant_cylinder_fact (cylinder_id, access_point_id, zone_id, egress_free, safety_role, during, known, entry)
SELECT pg_temp.made_id('8004', n), pg_temp.made_id('8003', n), pg_temp.made_id('8002', 1), 'yes', 'none',
    '[2020-01-01,)', '[1,)', 1
FROM generate_series(1, :cylinders) AS n;
INSERT INTO key_system (id, name, vendor, inventory_at, visibility_complete, entry)
VALUES (pg_temp.made_id('8005', 1), 'iloq-main', 'iloq', ':now', true, 1);
INSERT INTO key_key (id, system_id, external_id, stamp, kind, entry)
SELECT pg_temp.made_id('8006', n), pg_temp.made_id('8005', 1), 'k' || n, 'K' || n, 'phone', 1
FROM generate_series(1, 3000) AS n;

-- Generations of rows, each gone when the next begins; the last one holds now.
INSERT INTO key_may_open (cylinder_id, key_id, since, gone_at, person_id, grant_id, basis, allowed_until, kind,
    exposed_until, entry)
SELECT pg_temp.made_id('8004', c), pg_temp.made_id('8006', 1 + (c * 7 + g * 13 + k * 101) % 3000), begun,
    CASE WHEN g = :generations - 1 THEN 'infinity' ELSE begun + interval '8 hours' END, gen_random_uuid(),
    gen_random_uuid(), 'permit_step', begun + interval '8 hours', 'still_allowed', begun + interval '11 hours', 1
FROM generate_series(1, :cylinders) AS c, generate_series(0, :generations - 1) AS g,
    generate_series(1, :open_each) AS k,
    LATERAL (SELECT ':now'::timestamptz - (:generations - g) * interval '8 hours' + interval '1 hour' AS begun) AS b
ON CONFLICT DO NOTHING;
INSERT INTO key_cursor (system_id, cursor, pulled_at) VALUES (pg_temp.made_id('8005', 1), 'c', ':now');

ALTER TABLE plant_area ENABLE TRIGGER USER;
ALTER TABLE plant_zone ENABLE TRIGGER USER;
ALTER TABLE plant_zone_fact ENABLE TRIGGER USER;
ALTER TABLE plant_access_point ENABLE TRIGGER USER;
ALTER TABLE plant_cylinder ENABLE TRIGGER USER;
ALTER TABLE plant_cylinder_fact ENABLE TRIGGER USER;
ALTER TABLE key_system ENABLE TRIGGER USER;
ALTER TABLE key_key ENABLE TRIGGER USER;
ALTER TABLE key_may_open ENABLE TRIGGER USER;
ANALYZE;
