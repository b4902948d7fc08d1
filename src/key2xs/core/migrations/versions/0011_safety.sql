-- Check-ins, kills that wait for the shift leader, and warnings about ways out (S2, S4, S5, S6).
-- Which acts wait for a second person is decided by code and by the site's authority matrix, not by the schema.
ALTER TABLE access_proposal DROP CONSTRAINT access_proposal_kind_check;
