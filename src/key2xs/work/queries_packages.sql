-- Work packages: what a permit's newest state names.

-- name: permits_of_package
-- The permits whose newest state names a work package.
SELECT permit_id FROM (SELECT DISTINCT permit_id FROM work_event WHERE doc -> 'work' ->> 'package' = $1) AS named
WHERE (SELECT doc -> 'work' ->> 'package' FROM work_event AS event
       WHERE event.permit_id = named.permit_id AND event.doc IS NOT NULL
       ORDER BY sequence DESC, event_id LIMIT 1) = $1
