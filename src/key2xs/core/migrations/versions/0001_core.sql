-- The extension needs a superuser on some servers, so the role set-up makes it first where it can.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Nobody makes tables here but the owner.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO key2xs_app, key2xs_log, key2xs_read;

-- Domain time of a demo. Production mode refuses to start when this table has a row.
CREATE TABLE domain_time (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON domain_time TO key2xs_app;
GRANT SELECT ON domain_time TO key2xs_log, key2xs_read;
