-- Adoption runs, what adopted keys keep, the brake on bulk writes, visits to locks and keys.
SELECT 1;
