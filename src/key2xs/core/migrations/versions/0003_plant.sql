-- The plant. Codes are opaque: the native one is kept as it came, `code_norm` is only for finding it again.
-- What decisions depend on (a zone's criticality and mode, a cylinder's zone and safety, which cylinder belongs to
-- which asset) is kept as facts with two times: `during` when it is true, `known` from which entry on we knew it.

CREATE TABLE plant_area (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    code_norm text NOT NULL,
    name text NOT NULL,
    entry bigint NOT NULL
);
CREATE INDEX plant_area_norm ON plant_area (code_norm);

CREATE TABLE plant_unit (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    code_norm text NOT NULL,
    name text NOT NULL,
    area_id uuid NOT NULL REFERENCES plant_area,
    entry bigint NOT NULL
);
CREATE INDEX plant_unit_norm ON plant_unit (code_norm);

CREATE TABLE plant_zone (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    code_norm text NOT NULL,
    name text NOT NULL,
    entry bigint NOT NULL
);

CREATE TABLE plant_zone_fact (
    zone_id uuid NOT NULL REFERENCES plant_zone,
    criticality smallint NOT NULL CHECK (criticality BETWEEN 1 AND 4),
    mode text NOT NULL CHECK (mode IN ('observe', 'advise', 'enforce')),
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    entry bigint NOT NULL,
    EXCLUDE USING gist (zone_id WITH =, during WITH &&, known WITH &&)
);

CREATE TABLE plant_asset (
    id uuid PRIMARY KEY,
    scheme text NOT NULL,
    code text NOT NULL,
    code_norm text NOT NULL,
    name text NOT NULL,
    parent_id uuid REFERENCES plant_asset,
    unit_id uuid REFERENCES plant_unit,
    entry bigint NOT NULL,
    UNIQUE (scheme, code)
);
CREATE INDEX plant_asset_norm ON plant_asset (scheme, code_norm);

CREATE TABLE plant_access_point (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    code_norm text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('gate', 'door', 'substation', 'cabinet', 'valve_lock', 'lock_box', 'tank_dip',
                                       'manway', 'jetty', 'vehicle')),
    area_id uuid NOT NULL REFERENCES plant_area,
    unit_id uuid REFERENCES plant_unit,
    asset_id uuid REFERENCES plant_asset,
    lat double precision CHECK (lat BETWEEN -90 AND 90),
    lon double precision CHECK (lon BETWEEN -180 AND 180),
    entry bigint NOT NULL
);
CREATE INDEX plant_access_point_norm ON plant_access_point (code_norm);

CREATE TABLE plant_cylinder (
    id uuid PRIMARY KEY,
    vendor text NOT NULL,
    locking_system text NOT NULL,
    external_id text NOT NULL,
    marking text NOT NULL,
    cylinder_type text NOT NULL CHECK (cylinder_type IN ('profile', 'half', 'padlock', 'cam', 'cabinet')),
    online boolean NOT NULL,
    zone_ex text,
    entry bigint NOT NULL,
    UNIQUE (locking_system, external_id)
);
CREATE INDEX plant_cylinder_marking ON plant_cylinder (lower(marking));
CREATE INDEX plant_cylinder_external ON plant_cylinder (external_id);

CREATE TABLE plant_cylinder_fact (
    cylinder_id uuid NOT NULL REFERENCES plant_cylinder,
    access_point_id uuid NOT NULL REFERENCES plant_access_point,
    zone_id uuid NOT NULL REFERENCES plant_zone,
    egress_free text NOT NULL CHECK (egress_free IN ('yes', 'no', 'unknown')),
    safety_role text NOT NULL
        CHECK (safety_role IN ('none', 'isolation', 'emergency', 'lock_box', 'egress', 'unknown')),
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    entry bigint NOT NULL,
    EXCLUDE USING gist (cylinder_id WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX plant_cylinder_fact_current ON plant_cylinder_fact (cylinder_id) WHERE upper_inf(known);
CREATE INDEX plant_cylinder_fact_point ON plant_cylinder_fact (access_point_id) WHERE upper_inf(known);
CREATE INDEX plant_cylinder_fact_zone ON plant_cylinder_fact (zone_id) WHERE upper_inf(known);

CREATE TABLE plant_asset_cylinder (
    asset_id uuid NOT NULL REFERENCES plant_asset,
    cylinder_id uuid NOT NULL REFERENCES plant_cylinder,
    role text NOT NULL CHECK (role IN ('perimeter', 'room', 'isolation', 'content')),
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    entry bigint NOT NULL,
    EXCLUDE USING gist (asset_id WITH =, cylinder_id WITH =, role WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX plant_asset_cylinder_asset ON plant_asset_cylinder (asset_id) WHERE upper_inf(known);
CREATE INDEX plant_asset_cylinder_cylinder ON plant_asset_cylinder (cylinder_id) WHERE upper_inf(known);

SELECT log_guard(name) FROM unnest(ARRAY[
    'plant_area', 'plant_unit', 'plant_zone', 'plant_zone_fact', 'plant_asset', 'plant_access_point',
    'plant_cylinder', 'plant_cylinder_fact', 'plant_asset_cylinder'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON plant_area, plant_unit, plant_zone, plant_zone_fact, plant_asset,
    plant_access_point, plant_cylinder, plant_cylinder_fact, plant_asset_cylinder TO key2xs_app;
GRANT SELECT ON plant_area, plant_unit, plant_zone, plant_zone_fact, plant_asset,
    plant_access_point, plant_cylinder, plant_cylinder_fact, plant_asset_cylinder TO key2xs_read;

-- What other rooms may read in SQL of their own: which lock at which vendor a cylinder is.
CREATE VIEW plant_cylinders AS SELECT id, vendor, locking_system, external_id, marking, entry FROM plant_cylinder;
GRANT SELECT ON plant_cylinders TO key2xs_app, key2xs_read;
