-- How far ahead people's facts are known.

-- name: shifts_known_until
-- The end of the last duty that anybody is known to have.
SELECT max(upper(during)) FROM identity_duty WHERE upper_inf(known) AND NOT upper_inf(during)
