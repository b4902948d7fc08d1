-- Due times, transfers, crew keys, lost and found, cabinets.
SELECT 1;
