-- Statements of the identity room.

-- name: find_company
-- A company by its code, as IAMs and files write it.
SELECT id, ref, name FROM identity_company WHERE ref_folded = $1

-- name: get_company
-- A company by id.
SELECT id, ref, name FROM identity_company WHERE id = $1

-- name: list_companies
-- All companies, by code.
SELECT id, ref, name FROM identity_company ORDER BY ref_folded

-- name: insert_company
-- A new company.
INSERT INTO identity_company (id, ref, ref_folded, name, entry) VALUES ($1, $2, $3, $4, $5)

-- name: rename_company
-- A company has another name.
UPDATE identity_company SET name = $2, entry = $3 WHERE id = $1

-- name: people_ever_of_company
-- People with any known contract of the company that is not over at an instant.
SELECT DISTINCT person FROM identity_contract
WHERE company = $1 AND upper_inf(known) AND (upper_inf(during) OR upper(during) > $2::timestamptz) ORDER BY person

-- name: insert_person
-- A new person, with nothing but an id and sealed values.
INSERT INTO identity_person
    (id, display_name, given_name, family_name, email, phone, user_name, sponsor, made_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: update_profile
-- Other sealed values.
UPDATE identity_person SET display_name = $2, given_name = $3, family_name = $4, email = $5, phone = $6,
    user_name = $7, sponsor = $8, entry = $9
WHERE id = $1

-- name: get_person
-- The sealed values of one person.
SELECT display_name, given_name, family_name, email, phone, user_name, sponsor, made_at, erased_at, entry
FROM identity_person WHERE id = $1

-- name: get_people
-- The sealed values of many people.
SELECT id, display_name, given_name, family_name, email, phone, user_name, sponsor, made_at, erased_at, entry
FROM identity_person WHERE id = ANY($1::uuid[])

-- name: find_links
-- Who goes by this blind reference; with one sealed value each, which tells whether the person was erased.
SELECT DISTINCT link.person,
    coalesce(person.user_name, person.display_name, person.family_name, person.email) AS probe
FROM identity_person_link AS link JOIN identity_person AS person ON person.id = link.person
WHERE link.scheme = $1 AND link.ref = $2 AND ($3::text IS NULL OR link.source = $3)

-- name: links_of_person
-- The references one person goes by.
SELECT scheme, source, ref FROM identity_person_link WHERE person = $1

-- name: put_link
-- A person goes by this reference from now on.
INSERT INTO identity_person_link (person, scheme, source, ref, entry) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person, scheme, source) DO UPDATE SET ref = excluded.ref, entry = excluded.entry

-- name: forget_links
-- An erased person can no longer be found.
UPDATE identity_person_link SET ref = NULL, entry = $2 WHERE person = $1 AND ref IS NOT NULL

-- name: forget_scim_user
-- An erased person's record can no longer be found by SCIM.
UPDATE identity_scim_user SET user_name_ref = NULL, email_refs = '{}', deleted_at = coalesce(deleted_at, $2),
    entry = $3
WHERE person = $1

-- name: mark_erased
-- A person's data key is about to be destroyed.
UPDATE identity_person SET erased_at = $2, entry = $3 WHERE id = $1

-- name: known_status
-- What each source says about being active, as known now.
SELECT id, source, active, lower(during) AS starts, upper(during) AS ends
FROM identity_status WHERE person = $1 AND upper_inf(known)

-- name: close_status
-- These rows are no longer what we know.
UPDATE identity_status SET known = int8range(lower(known), $2::bigint), entry = $2::bigint
WHERE id = ANY($1::bigint[])

-- name: write_status
-- What we know from this entry on.
INSERT INTO identity_status (person, source, active, during, known, entry, stated_at)
VALUES ($1, $2, $3, tstzrange($4::timestamptz, $5::timestamptz), int8range($6::bigint, NULL), $6::bigint, $7)

-- name: known_contract
-- The contracts each source states, as known now.
SELECT id, source, company, lower(during) AS starts, upper(during) AS ends
FROM identity_contract WHERE person = $1 AND upper_inf(known)

-- name: close_contract
-- These rows are no longer what we know.
UPDATE identity_contract SET known = int8range(lower(known), $2::bigint), entry = $2::bigint
WHERE id = ANY($1::bigint[])

-- name: write_contract
-- What we know from this entry on.
INSERT INTO identity_contract (person, source, company, during, known, entry, stated_at)
VALUES ($1, $2, $3, tstzrange($4::timestamptz, $5::timestamptz), int8range($6::bigint, NULL), $6::bigint, $7)

-- name: known_qualifications
-- The qualifications of many people, as known now.
SELECT id, person, kind, number, checked_by, checked_at, lower(during) AS starts, upper(during) AS ends
FROM identity_qualification WHERE person = ANY($1::uuid[]) AND upper_inf(known)

-- name: close_qualification
-- These rows are no longer what we know.
UPDATE identity_qualification SET known = int8range(lower(known), $2::bigint), entry = $2::bigint
WHERE id = ANY($1::bigint[])

-- name: write_qualification
-- What we know from this entry on.
INSERT INTO identity_qualification (person, kind, number, checked_by, checked_at, during, known, entry, stated_at)
VALUES ($1, $2, $3, $4, $5, tstzrange($6::timestamptz, $7::timestamptz), int8range($8::bigint, NULL), $8::bigint,
    $9)

-- name: known_roles_of_person
-- The roles a person has or will have, as known now.
SELECT id, role, origin, lower(during) AS starts, upper(during) AS ends
FROM identity_role WHERE person = $1 AND upper_inf(known) AND (upper_inf(during) OR upper(during) > $2::timestamptz)

-- name: members_of_origin
-- Who has a role by this origin, without an end.
SELECT id, person, role, origin, lower(during) AS starts
FROM identity_role WHERE origin = $1 AND upper_inf(known) AND upper_inf(during) ORDER BY person

-- name: close_role
-- These rows are no longer what we know.
UPDATE identity_role SET known = int8range(lower(known), $2::bigint), entry = $2::bigint
WHERE id = ANY($1::bigint[])

-- name: write_role
-- What we know from this entry on.
INSERT INTO identity_role (person, role, origin, during, known, entry, stated_at)
VALUES ($1, $2, $3, tstzrange($4::timestamptz, $5::timestamptz), int8range($6::bigint, NULL), $6::bigint, $7)

-- name: known_duties
-- The duties of many people that are not over at an instant, as known now.
SELECT id, person, role, unit, lower(during) AS starts, upper(during) AS ends
FROM identity_duty
WHERE person = ANY($1::uuid[]) AND upper_inf(known) AND (upper_inf(during) OR upper(during) > $2::timestamptz)

-- name: close_duty
-- These rows are no longer what we know.
UPDATE identity_duty SET known = int8range(lower(known), $2::bigint), entry = $2::bigint
WHERE id = ANY($1::bigint[])

-- name: write_duty
-- What we know from this entry on.
INSERT INTO identity_duty (person, role, unit, during, known, entry, stated_at)
VALUES ($1, $2, $3, tstzrange($4::timestamptz, $5::timestamptz), int8range($6::bigint, NULL), $6::bigint, $7)

-- name: people_on_duty
-- Who is on duty at an instant, in a unit or anywhere.
SELECT person, role, unit, lower(during) AS starts, upper(during) AS ends FROM identity_duty
WHERE upper_inf(known) AND during @> $1::timestamptz AND ($2::uuid IS NULL OR unit = $2)
    AND ($3::text IS NULL OR role = $3)
ORDER BY unit, role, person

-- name: find_shift
-- A team's shift by its start.
SELECT id, name, upper(during) AS ends FROM identity_shift WHERE team = $1 AND lower(during) = $2::timestamptz

-- name: insert_shift
-- A new shift of the rota.
INSERT INTO identity_shift (id, team, name, during, entry)
VALUES ($1, $2, $3, tstzrange($4::timestamptz, $5::timestamptz), $6)

-- name: change_shift
-- A shift of the rota is different.
UPDATE identity_shift SET name = $2, during = tstzrange($3::timestamptz, $4::timestamptz), entry = $5 WHERE id = $1

-- name: person_facts
-- Everything a decision reads about a person, in one round trip: what is true or still to come at $2, as known at
-- entry $3. Contracts that are over come too, because "over" is a no and "never heard of" is not.
SELECT 'person' AS fact, NULL::text AS name, NULL::boolean AS active, NULL::uuid AS ref, made_at AS starts,
    NULL::timestamptz AS ends
FROM identity_person WHERE id = $1
UNION ALL
SELECT 'status', source, active, NULL, lower(during), upper(during) FROM identity_status
WHERE person = $1 AND known @> $3::bigint AND (upper_inf(during) OR upper(during) > $2::timestamptz)
UNION ALL
SELECT 'contract', source, NULL, company, lower(during), upper(during) FROM identity_contract
WHERE person = $1 AND known @> $3::bigint
UNION ALL
SELECT 'qualification', kind, NULL, NULL, lower(during), upper(during) FROM identity_qualification
WHERE person = $1 AND known @> $3::bigint AND (upper_inf(during) OR upper(during) > $2::timestamptz)
UNION ALL
SELECT 'role', role, NULL, NULL, lower(during), upper(during) FROM identity_role
WHERE person = $1 AND known @> $3::bigint AND (upper_inf(during) OR upper(during) > $2::timestamptz)
UNION ALL
SELECT 'duty', role, NULL, unit, lower(during), upper(during) FROM identity_duty
WHERE person = $1 AND known @> $3::bigint AND (upper_inf(during) OR upper(during) > $2::timestamptz)

-- name: boundaries
-- Beginnings and ends in ($1, $2] after the place ($1, $3, $4), earliest first. What began or ended before it
-- was stated is left out: its own entry told it.
WITH edge (at, kind, id, person, edge, detail) AS (
    SELECT lower(during), 'contract', id, person, 'begin', source FROM identity_contract
    WHERE upper_inf(known) AND lower(during) BETWEEN $1::timestamptz AND $2::timestamptz AND lower(during) > stated_at
    UNION ALL
    SELECT upper(during), 'contract', -id, person, 'end', source FROM identity_contract
    WHERE upper_inf(known) AND upper(during) BETWEEN $1::timestamptz AND $2::timestamptz AND upper(during) > stated_at
    UNION ALL
    SELECT lower(during), 'duty', id, person, 'begin', role FROM identity_duty
    WHERE upper_inf(known) AND lower(during) BETWEEN $1::timestamptz AND $2::timestamptz AND lower(during) > stated_at
    UNION ALL
    SELECT upper(during), 'duty', -id, person, 'end', role FROM identity_duty
    WHERE upper_inf(known) AND upper(during) BETWEEN $1::timestamptz AND $2::timestamptz AND upper(during) > stated_at
    UNION ALL
    SELECT lower(during), 'qualification', id, person, 'begin', kind FROM identity_qualification
    WHERE upper_inf(known) AND lower(during) BETWEEN $1::timestamptz AND $2::timestamptz AND lower(during) > stated_at
    UNION ALL
    SELECT upper(during), 'qualification', -id, person, 'end', kind FROM identity_qualification
    WHERE upper_inf(known) AND upper(during) BETWEEN $1::timestamptz AND $2::timestamptz AND upper(during) > stated_at
    UNION ALL
    SELECT lower(during), 'role', id, person, 'begin', role FROM identity_role
    WHERE upper_inf(known) AND lower(during) BETWEEN $1::timestamptz AND $2::timestamptz AND lower(during) > stated_at
    UNION ALL
    SELECT upper(during), 'role', -id, person, 'end', role FROM identity_role
    WHERE upper_inf(known) AND upper(during) BETWEEN $1::timestamptz AND $2::timestamptz AND upper(during) > stated_at
)
SELECT at, kind, id, person, edge, detail FROM edge
WHERE (at, kind COLLATE "C", id) > ($1::timestamptz, $3::text COLLATE "C", $4::bigint)
ORDER BY at, kind COLLATE "C", id LIMIT $5

-- name: next_boundary
-- The next beginning or end after an instant.
SELECT least(
    (SELECT min(lower(during)) FROM identity_contract WHERE upper_inf(known) AND lower(during) > $1::timestamptz),
    (SELECT min(upper(during)) FROM identity_contract WHERE upper_inf(known) AND upper(during) > $1::timestamptz),
    (SELECT min(lower(during)) FROM identity_duty WHERE upper_inf(known) AND lower(during) > $1::timestamptz),
    (SELECT min(upper(during)) FROM identity_duty WHERE upper_inf(known) AND upper(during) > $1::timestamptz),
    (SELECT min(lower(during)) FROM identity_qualification
     WHERE upper_inf(known) AND lower(during) > $1::timestamptz),
    (SELECT min(upper(during)) FROM identity_qualification
     WHERE upper_inf(known) AND upper(during) > $1::timestamptz),
    (SELECT min(lower(during)) FROM identity_role WHERE upper_inf(known) AND lower(during) > $1::timestamptz),
    (SELECT min(upper(during)) FROM identity_role WHERE upper_inf(known) AND upper(during) > $1::timestamptz)
)

-- name: claim_boundary
-- How far our own clock has come; skipped while another process is at it.
SELECT upto, last_kind, last_id FROM identity_boundary WHERE name = $1 FOR UPDATE SKIP LOCKED

-- name: make_boundary
-- The clock's first day.
INSERT INTO identity_boundary (name, upto, last_kind, last_id) VALUES ($1, $2, '', 0) ON CONFLICT DO NOTHING

-- name: move_boundary
-- Our own clock has told everything up to this place.
UPDATE identity_boundary SET upto = $2, last_kind = $3, last_id = $4 WHERE name = $1

-- name: members_of_origins
-- The same for many origins.
SELECT person, origin FROM identity_role
WHERE origin = ANY($1::text[]) AND upper_inf(known) AND upper_inf(during) ORDER BY origin, person

-- name: get_group
-- A live group of a source.
SELECT id, source, display_name, external_id, role, made_at, changed_at, entry
FROM identity_group WHERE source = $1 AND id = $2 AND deleted_at IS NULL

-- name: lock_group
-- The same, against other writers.
SELECT id, source, display_name, external_id, role, made_at, changed_at, entry
FROM identity_group WHERE source = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE

-- name: list_groups
-- The live groups of a source, oldest first.
SELECT id, source, display_name, external_id, role, made_at, changed_at, entry
FROM identity_group WHERE source = $1 AND deleted_at IS NULL ORDER BY made_at, id

-- name: insert_group
-- A new group.
INSERT INTO identity_group (id, source, display_name, external_id, role, made_at, changed_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)

-- name: update_group
-- A group is different; also when only its members are, so that its version changes.
UPDATE identity_group SET display_name = $3, external_id = $4, role = $5, changed_at = $6, entry = $7
WHERE source = $1 AND id = $2

-- name: delete_group
-- A group is a tombstone.
UPDATE identity_group SET deleted_at = $3, changed_at = $3, entry = $4 WHERE source = $1 AND id = $2

-- name: groups_of_people
-- The live groups that people are members of.
SELECT member.person, grp.id, grp.display_name
FROM identity_role AS member JOIN identity_group AS grp ON member.origin = 'group:' || grp.id
WHERE member.person = ANY($1::uuid[]) AND upper_inf(member.known) AND upper_inf(member.during)
    AND grp.source = $2 AND grp.deleted_at IS NULL
ORDER BY grp.made_at, grp.id

-- name: get_scim_user
-- A live record of a source.
SELECT person, document, made_at, changed_at, entry FROM identity_scim_user
WHERE source = $1 AND person = $2 AND deleted_at IS NULL

-- name: lock_scim_user
-- The same, against other writers.
SELECT person, document, made_at, changed_at, entry FROM identity_scim_user
WHERE source = $1 AND person = $2 AND deleted_at IS NULL FOR UPDATE

-- name: scim_record_of
-- Whether a source has a record of a person, live or a tombstone.
SELECT deleted_at FROM identity_scim_user WHERE source = $1 AND person = $2

-- name: list_scim_users
-- The live records of a source, oldest first.
SELECT person, document, made_at, changed_at, entry FROM identity_scim_user
WHERE source = $1 AND deleted_at IS NULL ORDER BY made_at, person OFFSET $2 LIMIT $3

-- name: count_scim_users
-- How many live records a source has.
SELECT count(*) FROM identity_scim_user WHERE source = $1 AND deleted_at IS NULL

-- name: scim_users_by_name
-- The live record with this blind user name.
SELECT person, document, made_at, changed_at, entry FROM identity_scim_user
WHERE source = $1 AND user_name_ref = $2 AND deleted_at IS NULL

-- name: scim_users_by_email
-- The live records with this blind address.
SELECT person, document, made_at, changed_at, entry FROM identity_scim_user
WHERE source = $1 AND email_refs @> ARRAY[$2::bytea] AND deleted_at IS NULL ORDER BY made_at, person

-- name: scim_users_by_link
-- The live records of whoever goes by this blind reference.
SELECT usr.person, usr.document, usr.made_at, usr.changed_at, usr.entry
FROM identity_scim_user AS usr JOIN identity_person_link AS link ON link.person = usr.person
WHERE usr.source = $1 AND usr.deleted_at IS NULL AND link.scheme = $2 AND link.ref = $3 AND link.source = $4

-- name: put_scim_user
-- What the source says now; a tombstone comes back to life under the same id.
INSERT INTO identity_scim_user
    (source, person, user_name_ref, email_refs, document, made_at, changed_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
ON CONFLICT (source, person) DO UPDATE SET user_name_ref = excluded.user_name_ref,
    email_refs = excluded.email_refs, document = excluded.document, changed_at = excluded.changed_at,
    made_at = CASE WHEN identity_scim_user.deleted_at IS NULL THEN identity_scim_user.made_at
                   ELSE excluded.made_at END,
    deleted_at = NULL, entry = excluded.entry

-- name: delete_scim_user
-- A record is a tombstone.
UPDATE identity_scim_user SET deleted_at = $3, changed_at = $3, entry = $4 WHERE source = $1 AND person = $2

-- name: live_people
-- Which of these ids are people with a live record of the source.
SELECT person FROM identity_scim_user WHERE source = $1 AND person = ANY($2::uuid[]) AND deleted_at IS NULL
