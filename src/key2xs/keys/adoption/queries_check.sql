-- name: lock_checks
-- Each lock of a system with what decides whether rights and end dates can be relied on there.
SELECT lock.marking AS lock, place.access_point, lock.has_clock, lock.honours_limits, lock.hidden_rights,
    EXISTS (SELECT 1 FROM key_right AS vendor_right WHERE vendor_right.system_id = lock.system_id AND vendor_right.writable
        AND vendor_right.external_id = ANY(lock.rights)) AS planned,
    CASE WHEN lock.programmed IS NOT NULL THEN EXISTS (SELECT 1 FROM key_right AS vendor_right
        WHERE vendor_right.system_id = lock.system_id AND vendor_right.writable
        AND vendor_right.external_id = ANY(lock.programmed)) END AS programmed
FROM key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id
LEFT JOIN plant_places AS place ON place.vendor = system.vendor AND place.external_id = lock.external_id
WHERE lock.system_id = $1
ORDER BY lock.marking, lock.external_id
