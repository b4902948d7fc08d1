"""How far an act on many is, and which keys of the people affected are still out."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from key2xs.core import spreadsheet
from key2xs.core.database import Connection
from key2xs.core.ids import GrantId, KeyId, PersonId
from key2xs.core.sql import load_queries
from key2xs.grants.lists import states_of
from key2xs.keys.desk.lists import keys_out
from key2xs.keys.many import WORDS, KeyStep, Word, follow_keys, last_seen
from key2xs.plant import list_cylinders
from key2xs.plant.types import Cylinder

from .types import MassAction, Progress, Unreturned

_SQL = load_queries("key2xs.incidents.mass")
_DONE: Final = frozenset({"delivered", "lapsed", "not_written"})
_ACCEPTED: Final = frozenset({"accepted", "in_transit", "delivered", "lapsed"})
COLUMNS: Final = (
    "key", "system", "person", "company", "since", "due_at", "overdue", "report", "last_opened_at",
    "last_opened", "progress", "locks_still_open", "open_until", "as_of",
)  # fmt: skip


async def progress_of(tx: Connection, mass: MassAction, at: datetime) -> Progress:
    """Return how far an act is; every number with the age of what it rests on."""
    rows = await tx.fetch(_SQL["items"], mass.id)
    steps = await _steps(tx, rows, at)
    words = Counter(step.word for step in steps)
    accepted = [
        step for step in steps
        if step.word in _ACCEPTED and step.accepted_at is not None and step.accepted_at >= mass.started_at
    ]  # fmt: skip
    rate = _rate(accepted, mass.started_at)
    asked = words["requested"]
    open_ends = [step.until for step in steps if step.until is not None]
    no_bound = sum(step.locks > 0 and step.until is None for step in steps)
    as_before = sum(step.opens_as_before for step in steps)
    tellings = await tx.fetch(_SQL["tellings"], mass.id)
    return Progress(
        grants=await _grants(tx, rows),
        keys=tuple(steps),
        words={word: words[word] for word in WORDS},
        people=len({row["person_id"] for row in rows if row["what"] == "grant"}),
        as_of=min((step.read_at for step in steps if step.word not in _DONE and step.read_at), default=None),
        per_minute=round(rate * 60, 1) if rate else None,
        expected_at=at + timedelta(seconds=asked / rate)
        if rate and asked and mass.state == "running"
        else None,
        until=None if no_bound or as_before else max(open_ends, default=None),
        no_bound=no_bound,
        as_before=as_before,
        standing_left=sum(row["what"] == "standing" and row["state"] == "waiting" for row in rows),
        told=tuple((row["id"], row["proceeds_at"]) for row in tellings),
    )


async def unreturned(tx: Connection, mass: MassAction, at: datetime) -> list[Unreturned]:
    """Return the keys of an act that are still out, overdue ones first, then the longest out."""
    rows = await tx.fetch(_SQL["items"], mass.id)
    steps = {step.id: step for step in await _steps(tx, rows, at)}
    # Whoever has such a key now is asked for it, also somebody whom it was passed on to.
    lines = [line for line in await keys_out(tx, at) if line.key.id in steps]
    seen = await last_seen(tx, [line.key.id for line in lines])
    wanted = sorted({cylinder for cylinder, _ in seen.values()})
    places = (
        {each.id: each for each in await list_cylinders(tx, ids=wanted, limit=len(wanted))} if wanted else {}
    )
    found = [
        Unreturned(
            key_id=line.key.id,
            stamp=line.key.stamp,
            system=steps[line.key.id].system,
            person_id=line.person_id,
            company=line.company,
            since=line.since,
            due_at=line.due_at,
            overdue=line.is_overdue(at),
            report=line.report,
            seen_at=seen[line.key.id][1] if line.key.id in seen else None,
            seen_place=_place(places.get(seen[line.key.id][0])) if line.key.id in seen else "",
            word=steps[line.key.id].word,
            locks=steps[line.key.id].locks,
            until=steps[line.key.id].until,
            as_before=steps[line.key.id].opens_as_before,
        )
        for line in lines
    ]
    return sorted(found, key=lambda each: (not each.overdue, each.since, each.stamp))


def unreturned_csv(lines: list[Unreturned], at: datetime) -> str:
    """Write the list as a file. People by id: names and numbers stay where they are."""
    return spreadsheet.as_csv(
        list(COLUMNS),
        (
            [
                line.stamp, line.system, line.person_id, line.company or "", line.since.isoformat(),
                _instant(line.due_at), "yes" if line.overdue else "no", line.report or "", _instant(line.seen_at),
                line.seen_place, line.word, line.locks, open_until(line), at.isoformat(),
            ]
            for line in lines
        ),
    )  # fmt: skip


def open_until(line: Unreturned) -> str:
    """Say until when a key could still open something: an instant, *no bound*, *as before*, or nothing."""
    if line.as_before:
        return "as before"
    if not line.locks:
        return ""
    return line.until.isoformat() if line.until is not None else "no bound"


async def _steps(tx: Connection, rows: list[asyncpg.Record], at: datetime) -> list[KeyStep]:
    keys = {KeyId(row["ref_id"]): row["person_id"] for row in rows if row["what"] == "key"}
    grants = [GrantId(row["ref_id"]) for row in rows if row["what"] == "grant"]
    states = await states_of(tx, grants)
    ended = [grant for grant, state in states.items() if state == "ended"]
    waiting = {PersonId(row["person_id"]) for row in rows if row["state"] == "waiting" and row["person_id"]}
    steps = await follow_keys(tx, sorted(keys), at, ended=ended)
    # What a key's target says is about the time before, until the last of its holder's grants has ended.
    return [_asked(step) if keys[step.id] in waiting else step for step in steps]


def _asked(step: KeyStep) -> KeyStep:
    word: Word = "not_written" if step.word == "not_written" else "requested"
    return replace(step, word=word, accepted_at=None)


async def _grants(tx: Connection, rows: list[asyncpg.Record]) -> dict[str, int]:
    own = [row for row in rows if row["what"] == "grant"]
    states = await states_of(tx, [GrantId(row["ref_id"]) for row in own])
    counts: Counter[str] = Counter()
    for row in own:
        state = states.get(GrantId(row["ref_id"]), "ended")
        if row["state"] == "waiting":
            counts["told_first" if row["told"] is not None else "waiting"] += 1
        elif row["state"] == "left":
            counts["left"] += 1
        else:
            counts[state if state in {"ended", "held"} else "narrowed"] += 1
    return {name: counts[name] for name in ("ended", "narrowed", "held", "waiting", "told_first", "left")}


def _rate(accepted: list[KeyStep], since: datetime) -> float | None:
    """Return keys accepted a second, from the first to the last of them; None where nothing can be said."""
    last = max((step.accepted_at for step in accepted if step.accepted_at is not None), default=None)
    seconds = (last - since).total_seconds() if last is not None else 0.0
    return len(accepted) / seconds if seconds > 0 else None


def _place(cylinder: Cylinder | None) -> str:
    return (
        f"{cylinder.marking}, {cylinder.access_point_name}"
        if cylinder is not None
        else "a lock in no plant register"
    )


def _instant(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""
