-- Paper permits, sealed emergency keys, outages and drills.
SELECT 1;
