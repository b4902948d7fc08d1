"""P1 by brute force: is a grant that counts as effective backed by facts that are true now, read row by row?

Nothing here asks the product's own readers: only tables, with the plainest questions.
"""

from datetime import datetime
from typing import Any

from key2xs.core.database import Connection

_EFFECTIVE = """
SELECT lease.*, ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS locks
FROM grant_lease AS lease
WHERE state = 'active' AND during @> $1::timestamptz AND NOT EXISTS (
    SELECT 1 FROM grant_fact AS fact JOIN log_subject_head AS head USING (subject)
    WHERE fact.grant_id = lease.id AND head.entry <> fact.version)
"""


async def effective(tx: Connection, at: datetime) -> list[Any]:
    """Return the grants that are effective at an instant: active, in their window, on unchanged facts."""
    return list(await tx.fetch(_EFFECTIVE, at))


async def false_facts(tx: Connection, at: datetime) -> list[str]:
    """Name every fact that an effective grant rests on and that is false now."""
    wrong: list[str] = []
    for grant in await effective(tx, at):
        found = [*await _about_person(tx, grant["person_id"], at), *await _about_basis(tx, grant, at)]
        wrong += [f"grant {grant['id']} ({grant['basis_ref']}): {problem}" for problem in found]
    return wrong


async def _about_person(tx: Connection, person: Any, at: datetime) -> list[str]:
    wrong = []
    said = await tx.fetch(
        "SELECT active FROM identity_status WHERE person = $1 AND upper_inf(known) AND during @> $2::timestamptz",
        person,
        at,
    )
    if not said or not all(row["active"] for row in said):
        wrong.append("its holder is not an active identity")
    sources = await tx.fetch(
        "SELECT source, bool_or(during @> $2::timestamptz) AS runs FROM identity_contract "
        "WHERE person = $1 AND upper_inf(known) GROUP BY source",
        person,
        at,
    )
    if not sources or not all(row["runs"] for row in sources):
        wrong.append("its holder has no contract in force")
    return wrong


async def _about_basis(tx: Connection, grant: Any, at: datetime) -> list[str]:
    noun, _, name = grant["basis_ref"].partition(":")
    if noun == "permit":
        return await _about_permit(tx, name, grant["person_id"], at)
    if noun == "duty":
        role, unit = name.split(":")
        on_duty = await tx.fetchval(
            "SELECT true FROM identity_duty WHERE person = $1 AND role = $2 AND unit = $3::uuid "
            "AND upper_inf(known) AND during @> $4::timestamptz",
            grant["person_id"],
            role,
            unit,
            at,
        )
        return [] if on_duty else ["its holder is not on that duty"]
    row = await tx.fetchrow(
        "SELECT state, during @> $2::timestamptz AS runs, kind, (SELECT count(DISTINCT approver_id) FROM grant_approval "
        "WHERE request_id = request.id AND decision = 'approve' AND approver_id <> request.person_id) AS signed "
        "FROM grant_request AS request WHERE id = $1::uuid",
        name,
        at,
    )
    if row is None:
        return ["its request does not exist"]
    needed = 2 if row["kind"] == "emergency" else 1
    fine = row["state"] == "approved" and row["runs"] and row["signed"] >= needed
    return [] if fine else ["its request is not approved for now"]


async def _about_permit(tx: Connection, permit: str, person: Any, at: datetime) -> list[str]:
    row = await tx.fetchrow(
        "SELECT state, sequence, valid_from, valid_to FROM work_permit_state "
        "WHERE permit_id = $1::uuid AND upper_inf(known) AND during @> $2::timestamptz",
        permit,
        at,
    )
    if row is None or row["state"] != "live":
        return [f"its permit is {row['state'] if row else 'unknown'}"]
    wrong = [] if row["valid_from"] <= at < row["valid_to"] else ["its permit is not valid now"]
    doc = await tx.fetchval(
        "SELECT doc FROM work_event WHERE permit_id = $1::uuid AND sequence <= $2 AND doc IS NOT NULL "
        "ORDER BY sequence DESC, event_id LIMIT 1",
        permit,
        row["sequence"],
    )
    parties = await tx.fetch("SELECT id FROM work_party WHERE person_id = $1", person)
    mine = {str(party["id"]) for party in parties}
    on = [
        member
        for member in doc["people"]
        if member["party"] in mine and member["signed_on"] and not member["signed_off"]
    ]
    return wrong if on else [*wrong, "its holder is not signed on"]
