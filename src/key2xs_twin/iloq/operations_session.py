"""Operations around the session: bootstrap, sign-in, locking system, good-bye."""

from __future__ import annotations

from typing import Any

import msgspec

from key2xs_twin.iloq.errors import invalid
from key2xs_twin.iloq.routes import NO_BODY, Call, route
from key2xs_twin.iloq.server import ApiAnswer
from key2xs_twin.iloq.shapes import LockGroupBody, SessionBody, UrlBody, decode

# The vendor names zones as Windows does (its own example: "FLE Standard Time").
WINDOWS_ZONES = {
    "Europe/Amsterdam": "W. Europe Standard Time",
    "Europe/Berlin": "W. Europe Standard Time",
    "Europe/Brussels": "Romance Standard Time",
    "Europe/Helsinki": "FLE Standard Time",
    "Europe/London": "GMT Standard Time",
    "Europe/Paris": "Romance Standard Time",
}


@route("POST", "Url/GetUrl", signed_in=0)
def get_url(call: Call) -> Any:
    """The base to use from now on; null or empty means *stay where you are*."""
    body: UrlBody = decode(call.request.body, UrlBody)
    settings, account = call.server.settings, call.server.account
    if body.customer_code != account.customer_code:
        raise invalid(body.customer_code, "CustomerCode")
    if settings.get_url == "redirect":
        return settings.redirect_base
    return ApiAnswer(200, msgspec.json.encode(None if settings.get_url == "null" else ""))


@route("POST", "CreateSession", signed_in=0)
def create_session(call: Call) -> Any:
    """Sign in; a refusal is a result code in a 200 answer."""
    body: SessionBody = decode(call.request.body, SessionBody)
    result, session_id = call.server.sessions.sign_in(body, call.server.time.now)
    return {"SessionID": session_id, "Result": int(result)}


@route("GET", "LockGroups", signed_in=1)
def lock_groups(call: Call) -> Any:
    """The locking systems of this user: one."""
    account, settings = call.server.account, call.server.settings
    return [
        {
            "LockGroup_ID": str(account.lock_group_id),
            "Name": account.name,
            "Description": "",
            "TimeZoneStandardName": WINDOWS_ZONES.get(account.time_zone, account.time_zone),
            "OptionMask": settings.option_mask,
            "State": 0,
            "ExpireDateUTC": None,
            "CountryCode": "NLD",
            "AdapterVersion": 0,
        }
    ]


@route("POST", "SetLockgroup", signed_in=1)
def set_lock_group(call: Call) -> Any:
    """Choose the locking system; answers what the user may do."""
    body: LockGroupBody = decode(call.request.body, LockGroupBody)
    session = call.server.open_session(call.request, lock_group=False)
    return {"RightsMask": call.server.sessions.choose_lock_group(session, body.lock_group_id)}


@route("GET", "KillSession", signed_in=1)
def kill_session(call: Call) -> Any:
    """End the session: a GET with effect."""
    session = call.server.open_session(call.request, lock_group=False)
    call.server.sessions.kill(session.session_id)
    return NO_BODY


@route("GET", "Test", signed_in=1)
def test(call: Call) -> Any:
    """Answer if the session is good."""
    call.server.open_session(call.request, lock_group=False)
    return "OK"


@route("GET", "Version", signed_in=0)
def version(call: Call) -> Any:
    """The interface version."""
    return call.server.settings.version
