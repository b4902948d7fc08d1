-- The log. A domain's transaction writes `log_pending` and `log_body`; one sequencer turns them into leaves.

-- Entry numbers. Drawn after the subjects' heads are locked, so per subject they order exactly as the log does.
CREATE SEQUENCE log_entry_number AS bigint;
GRANT USAGE ON SEQUENCE log_entry_number TO key2xs_app;

-- The newest entry about each fact that decisions rest on. Its row is the subject's lock.
CREATE TABLE log_subject_head (
    subject text PRIMARY KEY,
    entry bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE ON log_subject_head TO key2xs_app;

-- Entries that wait for their place. Lane 0 is control (kill, stop, revoke), lane 1 is bulk.
CREATE TABLE log_pending (
    seq bigint PRIMARY KEY,
    xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
    lane smallint NOT NULL CHECK (lane IN (0, 1)),
    recorded_at timestamptz NOT NULL,
    subjects text[] NOT NULL,
    streams text[] NOT NULL,
    draft bytea NOT NULL
);
CREATE INDEX log_pending_control ON log_pending (seq) WHERE lane = 0;
-- The app may not set xact: the guard below relies on it.
GRANT INSERT (seq, lane, recorded_at, subjects, streams, draft), SELECT ON log_pending TO key2xs_app;

-- What an entry says. Personal values are ciphertext under their person's key, salt included; all other salts
-- derive from the entry's secret.
CREATE TABLE log_body (
    seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    subjects text[] NOT NULL,
    heads text[] NOT NULL,
    body jsonb NOT NULL,
    secret bytea NOT NULL CHECK (length(secret) = 32),
    PRIMARY KEY (recorded_at, seq)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE log_body_default PARTITION OF log_body DEFAULT;
CREATE INDEX log_body_subjects ON log_body USING gin (subjects);
GRANT INSERT, SELECT ON log_body TO key2xs_app;

-- One row an origin. After a restore that lost published entries a new origin opens.
CREATE TABLE log_origin (
    number int PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    first_position bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    vkey text NOT NULL,
    follows text
);

-- Leaves by position (index in their origin = position - first_position).
CREATE TABLE log_leaf (
    position bigint NOT NULL,
    seq bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);
CREATE TABLE log_leaf_default PARTITION OF log_leaf DEFAULT;
CREATE INDEX log_leaf_seq ON log_leaf (seq);

CREATE TABLE log_tile (
    origin int NOT NULL REFERENCES log_origin,
    level smallint NOT NULL,
    number bigint NOT NULL,
    width smallint NOT NULL CHECK (width BETWEEN 1 AND 256),
    hashes bytea NOT NULL CHECK (length(hashes) = 32 * width),
    PRIMARY KEY (origin, level, number)
);

CREATE TABLE log_checkpoint (
    origin int NOT NULL REFERENCES log_origin,
    size bigint NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (origin, size)
);

-- One row: where the log stands. `fence` rises with every new sequencer; a stalled one can no longer write.
CREATE TABLE log_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    origin int NOT NULL REFERENCES log_origin,
    size bigint NOT NULL,
    root bytea NOT NULL,
    fence bigint NOT NULL,
    narrow_only_since timestamptz,
    narrow_only_why text
);

-- Streams: the gap-free numbered sub-sequences. The tag is the blinded name that stands in the leaves.
CREATE TABLE log_stream (
    origin int NOT NULL REFERENCES log_origin,
    name text NOT NULL,
    number bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (origin, name)
);

-- Durable cursors: a reader has handled everything below its position.
CREATE TABLE log_reader (
    name text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    moved_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON log_reader TO key2xs_app;

GRANT SELECT ON log_origin, log_leaf, log_tile, log_checkpoint, log_head, log_stream TO key2xs_app;
GRANT SELECT, DELETE ON log_pending TO key2xs_log;
GRANT SELECT, INSERT ON log_origin, log_leaf, log_checkpoint TO key2xs_log;
GRANT SELECT, INSERT, UPDATE ON log_tile, log_head, log_stream TO key2xs_log;
GRANT SELECT ON log_body TO key2xs_log;
GRANT SELECT ON log_pending, log_body, log_origin, log_leaf, log_tile, log_checkpoint, log_head, log_stream,
    log_reader, log_subject_head TO key2xs_read;

-- P3: a change of domain state names the entry that was written with it, in this very transaction.
CREATE FUNCTION log_require_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'rows of % are never deleted', TG_TABLE_NAME USING ERRCODE = 'K2X01';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM log_pending WHERE seq = NEW.entry AND xact = pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION '% of % without its entry in the same transaction', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'K2X02';
    END IF;
    RETURN NEW;
END $$;

-- Puts the guard on a table. Every table of domain state has it; a test compares the list.
CREATE FUNCTION log_guard(guarded text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %I '
        'FOR EACH ROW EXECUTE FUNCTION log_require_entry()',
        guarded || '_entry', guarded);
END $$;
REVOKE EXECUTE ON FUNCTION log_guard(text) FROM PUBLIC;

-- Makes the monthly and per-million partitions ahead of need. Runs as the owner, because nobody else may
-- make tables; it can only ever make these.
CREATE FUNCTION log_make_partitions(around timestamptz, months_ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    month timestamptz;
    first_position bigint;
    made int := 0;
BEGIN
    FOR i IN 0..months_ahead LOOP
        month := date_trunc('month', around AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => i);
        IF to_regclass('log_body_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM')) IS NULL
           AND NOT EXISTS (SELECT 1 FROM log_body_default
                           WHERE recorded_at >= month AND recorded_at < month + interval '1 month') THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF log_body FOR VALUES FROM (%L) TO (%L)',
                'log_body_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM'), month, month + interval '1 month');
            made := made + 1;
        END IF;
    END LOOP;
    SELECT coalesce(max(position), 0) / 1000000 * 1000000 INTO first_position FROM log_leaf;
    FOR i IN 0..1 LOOP
        IF to_regclass('log_leaf_' || lpad(((first_position + i * 1000000) / 1000000)::text, 6, '0')) IS NULL
           AND NOT EXISTS (SELECT 1 FROM log_leaf_default
                           WHERE position >= first_position + i * 1000000
                             AND position < first_position + (i + 1) * 1000000) THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF log_leaf FOR VALUES FROM (%L) TO (%L)',
                'log_leaf_' || lpad(((first_position + i * 1000000) / 1000000)::text, 6, '0'),
                first_position + i * 1000000, first_position + (i + 1) * 1000000);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION log_make_partitions(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_make_partitions(timestamptz, int) TO key2xs_log;
