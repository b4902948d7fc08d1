"""*My area*: what waits for somebody, what ends, what can still open, and what cannot be relied on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.access import Permission, Principal
from key2xs.api.web import Web
from key2xs.console.places import Chosen
from key2xs.core.database import Connection
from key2xs.grants.live import open_counts
from key2xs.grants.standing import Undecided, undecided
from key2xs.keys.live import Unfinished
from key2xs.plant import normalise
from key2xs.work.facts import held_messages
from key2xs.work.live import Stopped, count_in_force, stopped_since
from key2xs.work.types import HeldMessage

from .area_lines import (
    ALARMS_FOR,
    MOST_LINES,
    AfterEndLine,
    EndingLine,
    Lines,
    after_end_lines,
    alarm_lines,
    ending_lines,
    unfinished_lines,
)
from .bases import BasisNames, name_bases
from .openings import OpeningLine
from .proposals import ProposalLine, proposal_lines
from .requests import RequestLine, request_lines, urgent_first

# Long enough to be seen by whoever comes back from a round; older stops are on the list of permits.
STOPPED_FOR: Final = timedelta(hours=2)

_NOTHING: Lines[Any] = Lines((), 0)


@dataclass(frozen=True, slots=True)
class UndecidedLine:
    """Something that could not be decided, in words."""

    what: str
    href: str | None
    undecided: Undecided


@dataclass(frozen=True, slots=True)
class MyArea:
    """Everything on the page; a part that the reader may not see is empty."""

    chosen: Chosen
    requests: list[RequestLine]
    proposals: list[ProposalLine]
    ending: Lines[EndingLine]
    after_end: Lines[AfterEndLine]
    unbounded: int
    openings: Lines[OpeningLine]
    unexplained: int
    look: Lines[Unfinished]
    held: list[HeldMessage]
    undecided: list[UndecidedLine]
    problems: dict[str, str]
    in_force: int
    stopped: list[Stopped]
    """Permits that were stopped in the last hours: why people lose access."""
    running: int
    held_grants: int

    @property
    def decisions(self) -> int:
        """How much waits for somebody's word."""
        return len(self.requests) + len(self.proposals)


async def read_my_area(tx: Connection, web: Web, reader: Principal, chosen: Chosen) -> MyArea:
    """Read the page for somebody and the places they look after."""
    services, at = web.services, web.now
    grants = reader.may(Permission.GRANTS_LEASE_READ)
    after_end, unbounded = (
        await after_end_lines(tx, chosen, at) if reader.may(Permission.KEYS_EXPOSURE_READ) else (_NOTHING, 0)
    )
    openings, unexplained = (
        await alarm_lines(tx, services, chosen, at)
        if reader.may(Permission.KEYS_EVENT_READ)
        else (_NOTHING, 0)
    )
    requests = await request_lines(tx, await services.requests.waiting(tx), at) if grants else []
    counts = await open_counts(tx)
    broken = await undecided(tx)
    names = await name_bases(tx, [each.subject for each in broken])
    return MyArea(
        chosen=chosen,
        requests=[line for line in urgent_first(requests) if _is_here(line, chosen)],
        # What needs a second person is the whole site's: nobody's area leaves it out.
        proposals=await proposal_lines(tx, web, reader) if grants else [],
        ending=await ending_lines(tx, chosen, at) if grants else _NOTHING,
        after_end=after_end,
        unbounded=unbounded,
        openings=openings,
        unexplained=unexplained,
        look=await unfinished_lines(tx, chosen, at) if reader.may(Permission.KEYS_KEY_READ) else _NOTHING,
        held=[message for message in await held_messages(tx, limit=MOST_LINES) if _is_recent(message, at)],
        undecided=[_undecided(each, names) for each in broken[:MOST_LINES]],
        problems=web.runtime.all_problems(),
        in_force=await _in_force(tx, chosen, at),
        stopped=await _stopped(tx, chosen, at) if reader.may(Permission.WORK_PERMIT_READ) else [],
        running=counts.get("active", 0),
        held_grants=counts.get("held", 0),
    )


def _is_here(line: RequestLine, chosen: Chosen) -> bool:
    return line.is_emergency or not line.cylinders or any(chosen.has_lock(each) for each in line.cylinders)


async def _in_force(tx: Connection, chosen: Chosen, at: datetime) -> int:
    areas = {normalise(area) for area in chosen.areas}
    return sum(
        each.permits
        for each in await count_in_force(tx, at)
        if not chosen or each.area in areas or each.unit in chosen.units
    )


async def _stopped(tx: Connection, chosen: Chosen, at: datetime) -> list[Stopped]:
    found = await stopped_since(tx, at - STOPPED_FOR, at, limit=10 * MOST_LINES)
    return [each for each in found if chosen.has(each.area, each.unit)][:MOST_LINES]


def _is_recent(message: HeldMessage, at: datetime) -> bool:
    return message.received_at > at - ALARMS_FOR


def _undecided(each: Undecided, names: BasisNames) -> UndecidedLine:
    noun, _, rest = each.subject.partition(":")
    if noun in {"permit", "request"}:
        basis = names.of_ref(each.subject)
        return UndecidedLine(basis.text, basis.href, each)
    return UndecidedLine(f"{noun.replace('_', ' ')} {rest[-6:]}", None, each)
