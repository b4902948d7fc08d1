"""The page *Change of shifts*: a team's keys go to the next team, each on its own, with what stands against one named."""

from litestar import Response, get, post

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, show, signed_in
from key2xs.console.people import look_up
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import KeyId, PersonId, parse_id
from key2xs.keys.desk import transfers
from key2xs.keys.desk.transfers import Line
from key2xs.plant import find_unit, list_units


@get("/desk/shift", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def ask_shift(request: Asked) -> Response[str]:
    """Show who of the next team would get which key."""
    web, code = web_of(request), request.query_params.get("unit", "")[:60]

    async def read(tx: Connection) -> dict[str, object]:
        lines: list[Line] = []
        unit = await find_unit(tx, code) if code else None
        if code and unit is None:
            raise NotFound(f"there is no unit {code}")
        if unit is not None:
            lines = await transfers.propose_change(tx, web.services.key_desk, unit.id, web.now)
        return await _values(tx, web.now, lines, unit=unit, done=False)

    return await show(request, "shift.html", "desk", read)


@post("/desk/shift", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def shift(request: Asked) -> Response[str]:
    """Hand the keys over that were ticked; show what became of each."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    wanted = [
        (KeyId(key), PersonId(person))
        for name, value in form.items()
        if name.startswith("key-")
        and (key := parse_id(name.removeprefix("key-"))) is not None
        and (person := parse_id(value)) is not None
    ]

    async def work(tx: Connection) -> list[Line]:
        return await transfers.transfer_many(
            tx, web.services.key_desk, wanted, actor=caller.actor, at=web.now,
            guard=web.services.key_ends.require_free,
        )  # fmt: skip

    lines = await web.services.database.transact(work) if wanted else []
    web.runtime.wake()

    async def read(tx: Connection) -> dict[str, object]:
        unit = await find_unit(tx, form.get("unit", "")[:60])
        return await _values(tx, web.now, lines, unit=unit, done=True)

    return await show(request, "shift.html", "desk", read, home="/desk/shift")


async def _values(
    tx: Connection, at: object, lines: list[Line], *, unit: object, done: bool
) -> dict[str, object]:
    everybody = [person for line in lines for person in (line.giver, line.receiver)]
    return {
        "units": await list_units(tx),
        "unit": unit,
        "lines": sorted(lines, key=lambda line: (not line.why_not, line.stamp)),
        "done": done,
        "people": await look_up(tx, everybody, at),  # type: ignore[arg-type]
    }


HANDLERS = (ask_shift, shift)
