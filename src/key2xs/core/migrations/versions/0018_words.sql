-- What people typed as reasons is sealed in tables too: sixteen bytes of the owner's id, then ciphertext under that owner's
-- key. Sixteen zeros: the service's own words, in clear. What stands there from before is kept in that form, because the
-- keys are in the vault's database; it is as readable as it was.

ALTER TABLE grant_request ALTER COLUMN reason TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(reason, 'UTF8');
ALTER TABLE grant_approval ALTER COLUMN reason TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(reason, 'UTF8');
ALTER TABLE incident_kill ALTER COLUMN reason TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(reason, 'UTF8');
ALTER TABLE key_report ALTER COLUMN reason TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(reason, 'UTF8');
ALTER TABLE key_seal_use ALTER COLUMN reason TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(reason, 'UTF8');
ALTER TABLE key_seal_use ALTER COLUMN outcome TYPE bytea
    USING decode(repeat('00', 16), 'hex') || convert_to(outcome, 'UTF8');
