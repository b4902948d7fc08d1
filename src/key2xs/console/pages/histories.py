"""The page *History*: a stretch of somebody's past, opened for a purpose that the person will see."""

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from litestar import Response, get, post

from key2xs.access import LONGEST_RANGE, PURPOSES, Permission, Purpose
from key2xs.access.history import History
from key2xs.api.explaining import find_person
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, form_of, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.times import read_local
from key2xs.console.views.asking import find_person as find_by_number
from key2xs.console.views.openings import opening_lines
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import PersonId, parse_id

_USUAL: Final = timedelta(days=7)
_LONGEST_NUMBER: Final = 200
_LABELS: Final = {
    "who": "Person", "purpose": "Purpose", "begins": "From", "ends": "To", "case_no": "Case number", "reason": "Reason",
}  # fmt: skip


@get("/history", permission=Permission.IDENTITY_HISTORY_READ, include_in_schema=False)
async def history_form(request: Asked) -> Response[str]:
    """Ask for a purpose; nothing is shown without one."""
    return await _show(request, {}, "")


@post(
    "/history",
    permission=Permission.IDENTITY_HISTORY_READ,
    asks_why=True,
    status_code=200,
    include_in_schema=False,
)
async def history(request: Asked) -> Response[str]:
    """Open a history, and leave the trace."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def work(tx: Connection) -> History:
        person_id = await _person(tx, web, form.get("person", "")[:_LONGEST_NUMBER])
        zone = web.services.settings.zone
        asked = Purpose(
            form.get("purpose", ""),
            form.get("reason", ""),
            _instant(form, "begins", zone),
            _instant(form, "ends", zone),
            form.get("case") or None,
        )
        return await web.access.history.open(tx, person_id, caller, asked, at=web.now)

    try:
        found = await web.services.database.transact(work)
    except InvalidInput as error:
        return await _show(
            request, form, f"{_LABELS.get(error.field, error.field)}: {error.problem}", status=400
        )
    except NotFound as error:
        return await _show(request, form, str(error), status=404)
    web.runtime.wake()
    return await _show(request, form, "", found=found)


def _instant(form: dict[str, str], name: str, zone: ZoneInfo) -> datetime:
    at = read_local(form.get(name, ""), zone)
    if at is None:
        raise InvalidInput(name, "is no time at this site")
    return at


async def _person(tx: Connection, web: Web, text: str) -> PersonId:
    """Take a bare number as on the other pages; an id of ours and `scheme:reference` as over HTTP."""
    if ":" in text or parse_id(text):
        return await find_person(tx, web, text)
    return await find_by_number(tx, web, text)


async def _show(
    request: Asked, form: dict[str, str], problem: str, *, found: History | None = None, status: int = 200
) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, Any]:
        now = web.now
        local = now.astimezone(web.services.settings.zone)
        lines = await opening_lines(tx, web.services, found.openings, now) if found else []
        person = found.look.person_id if found else None
        return {
            "form": form,
            "problem": problem,
            "found": found,
            "lines": lines,
            "person": (await look_up(tx, [person], now)).of(person),
            "purposes": PURPOSES,
            "longest": LONGEST_RANGE.days,
            "begins": form.get("begins") or (local - _USUAL).strftime("%Y-%m-%dT%H:%M"),
            "ends": form.get("ends") or local.strftime("%Y-%m-%dT%H:%M"),
        }

    return await show(request, "history.html", "history", read, status=status, home="/history")


HANDLERS = (history_form, history)
