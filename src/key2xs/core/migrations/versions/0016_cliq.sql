-- What a second key system needs: schedules, updaters, programming keys, visits per cylinder.
SELECT 1;
