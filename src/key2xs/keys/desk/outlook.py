"""What a key will do for whoever has it: how many locks until when, or why it waits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.grants.reads import grants_of_holder
from key2xs.keys.types import StoredKey
from key2xs.plant.service import cylinder_facts
from key2xs.work import PermitFacts, live_permits_of_person, permit_facts, permits_of_person

from .handing import why_no_key
from .parts import SQL, KeyDesk

AHEAD = timedelta(hours=12)  # access that begins within a shift is worth telling whoever waits for it


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a key will do.

    Attributes:
        locks: how many locks it will open now; 0: it waits.
        until: when the first of them ends.
        starts_at: when the next access begins, where nothing is allowed now.
        why: in sentences, what it waits for.
        elsewhere: locks that are allowed and not of this key's system.
        watched: locks in security zones that Key2XS writes nothing for.
    """

    locks: int
    until: datetime | None
    starts_at: datetime | None
    why: tuple[str, ...]
    elsewhere: int = 0
    watched: int = 0


async def outlook(
    tx: Connection, desk: KeyDesk, key: StoredKey, person_id: PersonId, at: datetime, zone: ZoneInfo
) -> Outlook:
    """Say what a key will do for a person. It counts what is decided; how far it is on the key the key's page says."""
    grants = await grants_of_holder(tx, person_id, at, at + AHEAD)
    now = [each for each in grants if each.starts_at <= at < each.ends_at and not each.stale]
    wanted = sorted({cylinder for each in now for cylinder in each.cylinders})
    facts = await cylinder_facts(tx, wanted, at=at) if wanted else {}
    written = [each for each in wanted if each in facts and facts[each].zone_mode == "enforce"]
    here: int = await tx.fetchval(SQL["locks_here"], key.system_id, written) if written else 0
    elsewhere, watched = len(written) - here, len(wanted) - len(written)
    if here:
        return Outlook(here, min(each.ends_at for each in now), None, (), elsewhere, watched)
    starts = min((each.starts_at for each in grants if each.starts_at > at), default=None)
    why = await _why(tx, desk, person_id, at, zone)
    if key.blocked_at is not None:
        why.insert(0, "the key is blocked")
    if elsewhere:
        why.append(f"{elsewhere} locks are allowed, and none of them is of this key's system")
    if watched:
        why.append(f"{watched} locks are allowed in security zones that are not set to enforce")
    if starts is not None:
        why.append(f"access begins at {starts.astimezone(zone):%H:%M}")
    if any(each.stale for each in grants):
        why.append("what was allowed is being decided again at this moment")
    return Outlook(
        0, None, starts, tuple(why or ["no permit, duty or request names this person"]), elsewhere, watched
    )


async def _why(tx: Connection, desk: KeyDesk, person_id: PersonId, at: datetime, zone: ZoneInfo) -> list[str]:
    """Say what stands between a person and their permits."""
    gone = await why_no_key(tx, desk, person_id, at)
    if gone is not None:
        return [gone]
    live = {permit.id for permit in await live_permits_of_person(tx, person_id, at)}
    why = []
    for permit_id in await permits_of_person(tx, person_id):
        facts = await permit_facts(tx, permit_id, at)
        if permit_id in live or facts.window[1] > at:
            said = _why_not(facts, person_id, at, zone)
            if said is not None:
                why.append(said)
    return why[:5]


def _why_not(facts: PermitFacts, person_id: PersonId, at: datetime, zone: ZoneInfo) -> str | None:
    if facts.state in {"closed", "rejected", "cancelled"}:
        return None
    if facts.state != "live":
        return f"permit {facts.number} is {facts.state.replace('_', ' ')}"
    begins, ends = facts.window
    if at < begins:
        return f"permit {facts.number} begins at {begins.astimezone(zone):%H:%M}"
    if at >= ends:
        return f"permit {facts.number} ended at {ends.astimezone(zone):%H:%M}"
    if not any(member.person_id == person_id and member.is_signed_on(at) for member in facts.crew):
        return f"not signed on to permit {facts.number}"
    return f"permit {facts.number} is in force; the decision is on its way, or something is missing for it"
