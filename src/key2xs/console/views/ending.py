"""*End access for many*: what the pages show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from key2xs.api.massing import Aim, MassOut, MassShown, aim_at, mass_out, mass_shown, name_of
from key2xs.api.web import Web
from key2xs.console.people import Alias, People, look_up
from key2xs.core.database import Connection
from key2xs.identity import Company, list_companies
from key2xs.incidents.mass.reading import unreturned
from key2xs.incidents.mass.types import Preview, Unreturned
from key2xs.plant import find_access_point, list_zones
from key2xs.plant.types import Zone

from .proposals import Count

MOST_NAMED: Final = 20
MOST_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Acts:
    """The acts so far, and what one may choose for another."""

    acts: tuple[MassOut, ...]
    companies: tuple[Company, ...]
    zones: tuple[Zone, ...]


@dataclass(frozen=True, slots=True)
class InsideLine:
    """Somebody who may be behind a lock that may bar a way out."""

    alias: Alias | None
    place: str
    egress_free: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """What an act would reach, for the page before it."""

    name: str
    ref: str
    look: Preview
    counts: tuple[Count, ...]
    people: tuple[Alias | None, ...]
    more: int
    at_work: tuple[Alias | None, ...]
    spared: tuple[Alias | None, ...]
    last: tuple[Alias | None, ...]
    kept: tuple[tuple[Alias | None, str], ...]
    inside: tuple[InsideLine, ...]

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing would end."""
        return not self.look.world.ending and not self.look.world.standing


@dataclass(frozen=True, slots=True)
class Act:
    """One act on its page."""

    shown: MassShown
    share: float

    @property
    def may_lift(self) -> bool:
        """Tell whether new access is stopped still, though the act is over."""
        return self.shown.mass.state == "finished" and self.shown.mass.stopped


@dataclass(frozen=True, slots=True)
class Out:
    """The keys that are still out."""

    mass: MassOut
    lines: tuple[Unreturned, ...]
    people: People


async def read_acts(tx: Connection, web: Web) -> Acts:
    """Read the first page."""
    acts = await web.services.mass_runs.newest(tx)
    return Acts(
        tuple([await mass_out(tx, each) for each in acts]),
        tuple(await list_companies(tx)),
        tuple(await list_zones(tx)),
    )


async def read_ahead(tx: Connection, web: Web, aim: Aim) -> Ahead:
    """Look at what an act would reach; changes nothing.

    Raises:
        InvalidInput: it is not named.
        NotFound: there is no such company or zone.
    """
    scope = await aim_at(tx, aim)
    look = await web.services.looks.look(tx, scope, web.now)
    world = look.world
    spared = {each.person_id for each in world.spared}
    last = {each.person_id for each in world.ending if each.id in world.last}
    people = await look_up(
        tx,
        [*world.persons, *spared, *(k.lease.person_id for k in look.kept), *(i.person_id for i in look.inside)],
        web.now,
    )  # fmt: skip
    inside = []
    for each in look.inside[:MOST_NAMED]:
        point = await find_access_point(tx, each.access_point_id)
        place = f"{point.code} {point.name}" if point else "an access point"
        inside.append(InsideLine(people.of(each.person_id), place, each.egress_free))
    return Ahead(
        name=await name_of(tx, scope),
        ref=aim.ref.strip(),
        look=look,
        counts=(
            Count("People lose access", len(world.persons)),
            Count("Grants end", len(world.ending)),
            Count("Cylinders", len(world.cylinders)),
            Count("Keys", len(world.keys)),
            Count("Left alone", len(world.spared), "grants for emergencies"),
        ),
        people=tuple(people.of(each) for each in sorted(world.persons)[:MOST_NAMED]),
        more=max(0, len(world.persons) - MOST_NAMED),
        at_work=tuple(people.of(each.person_id) for each in look.at_work[:MOST_NAMED]),
        spared=tuple(people.of(each) for each in sorted(spared)[:MOST_NAMED]),
        last=tuple(people.of(each) for each in sorted(last)[:MOST_NAMED]),
        kept=tuple((people.of(each.lease.person_id), each.why) for each in look.kept[:MOST_NAMED]),
        inside=tuple(inside),
    )


async def read_act(tx: Connection, web: Web, mass_id: UUID) -> Act:
    """Read one act.

    Raises:
        NotFound: no such act.
    """
    shown = await mass_shown(tx, web, await web.services.mass_runs.get(tx, mass_id))
    return Act(shown, _share(list(shown.progress.words.items())))


async def read_unreturned(tx: Connection, web: Web, mass_id: UUID) -> Out:
    """Read which keys are still out.

    Raises:
        NotFound: no such act.
    """
    mass = await web.services.mass_runs.get(tx, mass_id)
    lines = await unreturned(tx, mass, web.now)
    people = await look_up(tx, [line.person_id for line in lines], web.now)
    return Out(await mass_out(tx, mass), tuple(lines), people)


def _share(words: Sequence[tuple[str, int]]) -> float:
    """Return how much of the keys is done, 0 to 1; a key that is not written is nothing to wait for."""
    every = sum(number for word, number in words if word != "not_written")
    done = sum(number for word, number in words if word in {"delivered", "lapsed"})
    return done / every if every else 1.0
