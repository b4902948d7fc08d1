-- What a person may know about where his data comes from.

-- name: sources_of_person
-- Each source that says something about a person now, what kind of thing, and since when.
SELECT source, what, min(since) AS since FROM (
    SELECT source, 'account' AS what, stated_at AS since FROM identity_status
    WHERE person = $1 AND upper_inf(known)
    UNION ALL SELECT source, 'contract', stated_at FROM identity_contract WHERE person = $1 AND upper_inf(known)
    UNION ALL SELECT 'site', 'qualification ' || kind, stated_at FROM identity_qualification
    WHERE person = $1 AND upper_inf(known)
    UNION ALL SELECT CASE WHEN origin LIKE 'group:%' THEN 'group of the IAM' ELSE origin END, 'role ' || role, stated_at
    FROM identity_role WHERE person = $1 AND upper_inf(known)
    UNION ALL SELECT 'site', 'duty ' || role, stated_at FROM identity_duty WHERE person = $1 AND upper_inf(known)
) AS said
GROUP BY source, what ORDER BY source, what
