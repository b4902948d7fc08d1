-- The authority matrix, purposes of looking at a person, retention.
SELECT 1;
