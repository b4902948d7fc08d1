-- Fills locks and their numbered rows for benchmarks/coverage_5000.py, beside the plant of who_can_open.sql.
-- :cylinders, :rows_each and :now are filled in by the caller.

ALTER TABLE key_lock DISABLE TRIGGER USER;
ALTER TABLE key_event DISABLE TRIGGER USER;

INSERT INTO key_lock (system_id, external_id, marking, rights, has_clock, honours_limits, online_required, is_networked,
    hidden_rights, entry)
SELECT pg_temp.made_id('8005', 1), 'v' || n, 'C-' || n, '{}', 'yes', 'yes', 'no', 'no', false, 1 FROM generate_series(1, :cylinders) AS n;

-- Every fiftieth lock lacks one row: its later rows bear the next number but one.
INSERT INTO key_event (id, system_id, vendor_event_id, occurred_at, time_quality, read_at, arrived_at, lock_external_id,
    cylinder_id, key_external_id, key_id, person_certain, outcome, class, why, raw_type, recorded_at, counter_lock, entry)
SELECT gen_random_uuid(), pg_temp.made_id('8005', 1), c || '/' || r, at, 'clock', at, at, 'v' || c, pg_temp.made_id('8004', c),
    'k' || k, pg_temp.made_id('8006', k), true, 'opened', 'expected', 'its holder had a grant for it', 4, at,
    r + CASE WHEN c % 50 = 0 AND r = :rows_each THEN 1 ELSE 0 END, 1
FROM generate_series(1, :cylinders) AS c, generate_series(1, :rows_each) AS r,
    LATERAL (SELECT ':now'::timestamptz - (:rows_each - r) * interval '90 days' / :rows_each AS at, 1 + (c * 7 + r) % 3000 AS k) AS x;

ALTER TABLE key_lock ENABLE TRIGGER USER;
ALTER TABLE key_event ENABLE TRIGGER USER;
ANALYZE;
