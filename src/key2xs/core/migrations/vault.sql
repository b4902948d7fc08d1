-- The vault's own database. Backed up apart from the data, and restored with care: an old copy of this table
-- brings erased people back.
CREATE TABLE IF NOT EXISTS data_key (
    owner uuid PRIMARY KEY,
    wrapped bytea,
    made_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
