-- A site of size L on a busy afternoon, for the benchmarks of pages: 40,000 cylinders, 30,000 keys in two key systems,
-- 9,000 people of 300 companies, 490 permits in force with five people each, and what years leave behind. Run by the
-- owner, who may switch the entry guard off. :now and :program (an empty one) are filled in by the
-- caller.

CREATE FUNCTION pg_temp.made_id(noun text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('00000000-0000-7000-' || noun || '-' || lpad(to_hex(n), 12, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.guard(action text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    each text;
BEGIN
    FOREACH each IN ARRAY ARRAY['plant_area', 'plant_unit', 'plant_zone', 'plant_zone_fact', 'plant_access_point',
        'plant_cylinder', 'plant_cylinder_fact', 'identity_company', 'identity_person', 'identity_contract',
        'work_permit', 'work_permit_state', 'work_event', 'grant_lease', 'grant_cylinder', 'key_system', 'key_key',
        'key_custody', 'key_target', 'key_may_open', 'key_event'] LOOP
        EXECUTE format('ALTER TABLE %I %s TRIGGER USER', each, action);
    END LOOP;
END $$;
SELECT pg_temp.guard('DISABLE');

INSERT INTO plant_area (id, code, code_norm, name, entry)
SELECT pg_temp.made_id('8001', n), 'A' || n, 'A' || n, 'Area ' || n, 1 FROM generate_series(1, 20) AS n;
INSERT INTO plant_unit (id, code, code_norm, name, area_id, entry)
SELECT pg_temp.made_id('8101', n), 'U' || n, 'U' || n, 'Unit ' || n, pg_temp.made_id('8001', 1 + n % 20), 1
FROM generate_series(1, 100) AS n;
INSERT INTO plant_zone (id, code, code_norm, name, entry) VALUES (pg_temp.made_id('8002', 1), 'Z', 'Z', 'Zone', 1);
INSERT INTO plant_zone_fact (zone_id, criticality, mode, during, known, entry)
VALUES (pg_temp.made_id('8002', 1), 2, 'enforce', '[2020-01-01,)', '[1,)', 1);
INSERT INTO plant_access_point (id, code, code_norm, name, kind, area_id, unit_id, entry)
SELECT pg_temp.made_id('8003', n), 'AP-' || n, 'AP' || n, 'Cabinet of feeder ' || n, 'cabinet',
    pg_temp.made_id('8001', 1 + n % 20), pg_temp.made_id('8101', 1 + n % 100), 1
FROM generate_series(1, 40000) AS n;
INSERT INTO plant_cylinder (id, vendor, locking_system, external_id, marking, cylinder_type, online, entry)
SELECT pg_temp.made_id('8004', n), CASE WHEN n % 3 = 0 THEN 'cliq' ELSE 'iloq' END,
    CASE WHEN n % 3 = 0 THEN 'cl' ELSE 'il' END, 'v' || n, 'C' || lpad(n::text, 5, '0'), 'cabinet', false, 1
FROM generate_series(1, 40000) AS n;
INSERT INTO plant_cylinder_fact (cylinder_id, access_point_id, zone_id, egress_free, safety_role, during, known, entry)
SELECT pg_temp.made_id('8004', n), pg_temp.made_id('8003', n), pg_temp.made_id('8002', 1), 'yes', 'none',
    '[2020-01-01,)', '[1,)', 1
FROM generate_series(1, 40000) AS n;

INSERT INTO identity_company (id, ref, ref_folded, name, entry)
SELECT pg_temp.made_id('8201', n), 'V' || n, 'v' || n, 'Contractor ' || n, 1 FROM generate_series(1, 300) AS n;
INSERT INTO identity_person (id, made_at, entry)
SELECT pg_temp.made_id('8202', n), '2024-01-01+00', 1 FROM generate_series(1, 9000) AS n;
INSERT INTO identity_contract (person, source, company, during, known, stated_at, entry)
SELECT pg_temp.made_id('8202', n), 'iam', pg_temp.made_id('8201', 1 + n % 300), '[2024-01-01,2027-01-01)', '[1,)',
    '2024-01-01+00', 1
FROM generate_series(1, 9000) AS n;

-- Permits: 490 in force, 20,000 closed; the last 60 of those in force end within the hour.
INSERT INTO work_permit (id, source, external_id, number, type, area, area_norm, unit, sequence, revision, needs_pull,
    findings, entry)
SELECT pg_temp.made_id('8301', n), 'eptw', 'x' || n, '26' || lpad(n::text, 6, '0'), 'cold_work', 'A' || 1 + n % 20,
    'A' || 1 + n % 20, 'U' || 1 + n % 100, 1, 1, false, '[]', 1
FROM generate_series(1, 20490) AS n;
INSERT INTO work_permit_state (permit_id, state, cause, sequence, valid_from, valid_to, withheld, during, known, entry)
SELECT pg_temp.made_id('8301', n), CASE WHEN n <= 490 THEN 'live' ELSE 'closed' END, 'event', 1,
    ':now'::timestamptz - interval '6 hours', ':now'::timestamptz + interval '4 hours', '[]',
    tstzrange(':now'::timestamptz - interval '6 hours', NULL), '[1,)', 1
FROM generate_series(1, 20490) AS n;
INSERT INTO work_event (id, source, event_id, type, permit_id, sequence, received_at, outcome, problems, digest, entry)
SELECT pg_temp.made_id('8302', n), 'eptw', 'e' || n, 'changed', pg_temp.made_id('8301', 1 + n % 20490), n,
    ':now'::timestamptz - n * interval '1 minute', CASE WHEN n % 2500 = 0 THEN 'refused' ELSE 'accepted' END, '[]',
    '\x00', 1
FROM generate_series(1, 60000) AS n;
INSERT INTO work_feed (source, heard_at, heartbeat_at) VALUES ('eptw', ':now', ':now');

-- Grants: five people a permit in force, four locks each, and 120,000 that ended.
INSERT INTO grant_lease (id, person_id, basis_kind, basis_ref, basis_step, basis_at, during, state, reasons, bundle,
    reference, decided_at, entry)
SELECT pg_temp.made_id('8401', p * 10 + c), pg_temp.made_id('8202', p * 5 + c), 'permit_step',
    'permit:' || pg_temp.made_id('8301', p), '10', ':now'::timestamptz - interval '5 hours',
    tstzrange(':now'::timestamptz - interval '5 hours', ':now'::timestamptz
        + CASE WHEN p > 430 THEN p % 60 * interval '1 minute' + interval '30 s' ELSE interval '4 hours' END),
    'active', '[]', 'b', 'permit', ':now', 1
FROM generate_series(1, 490) AS p, generate_series(0, 4) AS c;
INSERT INTO grant_cylinder (grant_id, cylinder_id, entry)
SELECT pg_temp.made_id('8401', p * 10 + c), pg_temp.made_id('8004', p * 80 + k), 1
FROM generate_series(1, 490) AS p, generate_series(0, 4) AS c, generate_series(1, 4) AS k;
INSERT INTO grant_lease (id, person_id, basis_kind, basis_ref, basis_step, basis_at, during, state, reasons, bundle,
    reference, decided_at, ended_at, end_reason, entry)
SELECT pg_temp.made_id('8402', n), pg_temp.made_id('8202', 1 + n % 9000), 'permit_step',
    'permit:' || pg_temp.made_id('8301', 491 + n % 20000), '10', ':now'::timestamptz - interval '30 days',
    tstzrange(':now'::timestamptz - interval '30 days', ':now'::timestamptz - interval '29 days'), 'ended', '[]', 'b',
    'permit', ':now', ':now'::timestamptz - interval '29 days', 'lapsed', 1
FROM generate_series(1, 120000) AS n;

-- Keys: 30,000 in two systems (500 stamps exist in both), 9,000 handed out; 150 were ended and can still open.
INSERT INTO key_system (id, name, vendor, inventory_at, visibility_complete, entry)
VALUES (pg_temp.made_id('8005', 1), 'iLOQ', 'iloq', ':now', true, 1), (pg_temp.made_id('8005', 2), 'CLIQ', 'cliq', ':now', true, 1);
INSERT INTO key_cursor (system_id, cursor, pulled_at)
VALUES (pg_temp.made_id('8005', 1), 'c', ':now'), (pg_temp.made_id('8005', 2), 'c', ':now');
INSERT INTO key_key (id, system_id, external_id, stamp, kind, adopted_at, entry)
SELECT pg_temp.made_id('8006', n), pg_temp.made_id('8005', 1 + n % 2), 'k' || n,
    lpad((CASE WHEN n <= 500 THEN n + n % 2 ELSE n END)::text, 5, '0'), CASE WHEN n % 2 = 0 THEN 'phone' ELSE 'dynamic' END,
    '2026-01-01+00', 1
FROM generate_series(1, 30000) AS n;
INSERT INTO key_custody (key_id, person_id, during, known, entry)
SELECT pg_temp.made_id('8006', n), pg_temp.made_id('8202', n), '[2026-01-02+00,)', '[1,)', 1
FROM generate_series(1, 9000) AS n;
INSERT INTO key_target (id, system_id, key_id, generation, desired, grants, cannot, asked_at, accepted_at, delivered_at,
    problem, entry)
SELECT pg_temp.made_id('8501', n), pg_temp.made_id('8005', 1 + n % 2), pg_temp.made_id('8006', n), 1, ':program', '{}', '{}',
    ':now'::timestamptz - interval '1 hour', ':now', CASE WHEN n % 150 = 0 THEN NULL ELSE ':now'::timestamptz END,
    CASE WHEN n % 1500 = 0 THEN 'the key system refuses it' END, 1
FROM generate_series(1, 30000) AS n;
INSERT INTO key_may_open (cylinder_id, key_id, since, person_id, grant_id, basis, allowed_until, kind, exposed_until, entry)
SELECT pg_temp.made_id('8004', p * 80 + k), pg_temp.made_id('8006', p * 5 + c), ':now'::timestamptz - interval '5 hours',
    pg_temp.made_id('8202', p * 5 + c), pg_temp.made_id('8401', p * 10 + c), 'permit_step', ':now', 'still_allowed',
    ':now'::timestamptz + interval '6 hours', 1
FROM generate_series(1, 490) AS p, generate_series(0, 4) AS c, generate_series(1, 4) AS k;
INSERT INTO key_may_open (cylinder_id, key_id, since, person_id, kind, exposed_until, entry)
SELECT pg_temp.made_id('8004', n * 50 + k), pg_temp.made_id('8006', 5000 + n), ':now'::timestamptz - interval '20 minutes',
    pg_temp.made_id('8202', 5000 + n), CASE WHEN n % 30 = 0 THEN 'no_bound' ELSE 'bound' END,
    CASE WHEN n % 30 = 0 THEN 'infinity' ELSE ':now'::timestamptz + n * interval '1 minute' END, 1
FROM generate_series(1, 150) AS n, generate_series(1, 3) AS k;
INSERT INTO key_may_open (cylinder_id, key_id, since, gone_at, person_id, kind, exposed_until, entry)
SELECT pg_temp.made_id('8004', 1 + n % 40000), pg_temp.made_id('8006', 1 + n % 30000),
    ':now'::timestamptz - n * interval '1 minute' - interval '2 days', ':now'::timestamptz - interval '1 day',
    pg_temp.made_id('8202', 1 + n % 9000), 'bound', ':now', 1
FROM generate_series(1, 200000) AS n;

-- Openings of a month, 60 of the last day need an explanation.
INSERT INTO key_event (id, system_id, vendor_event_id, occurred_at, time_quality, arrived_at, lock_external_id,
    cylinder_id, key_id, person_id, person_certain, outcome, class, why, raw_type, recorded_at, entry)
SELECT pg_temp.made_id('8601', n), pg_temp.made_id('8005', 1), 'e' || n, ':now'::timestamptz - n * interval '10 s', 'lock',
    ':now'::timestamptz - n * interval '10 s', 'v' || 1 + n % 40000, pg_temp.made_id('8004', 1 + n % 40000),
    pg_temp.made_id('8006', 1 + n % 9000), pg_temp.made_id('8202', 1 + n % 9000), true, 'opened',
    CASE WHEN n % 144 = 0 THEN 'after_end' WHEN n % 433 = 0 THEN 'unexplained' ELSE 'expected' END, 'by a permit', 1,
    ':now', 1
FROM generate_series(1, 200000) AS n;

SELECT pg_temp.guard('ENABLE');
ANALYZE;
