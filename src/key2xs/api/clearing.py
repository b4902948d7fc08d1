"""What the authority matrix asks before an act: a reason, a second person.

A request that needs a second person is not done: it becomes a proposal that names the request by a digest of all it
says. When somebody else has confirmed it, the same person sends the same request once more, and it is done, once.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict

from key2xs.access import BUILT_IN_SECOND, Permission, Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotAllowed
from key2xs.ledger import Entry, typed

from .web import Web

REASON_HEADER: Final = "key2xs-reason"
_REASONS: Final = ("reason", "purpose", "why")
SHORTEST_REASON: Final = 3
LONGEST_REASON: Final = 500  # characters
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_NOT_SAID: Final = frozenset({"csrf_token"})
# What the second person is shown of the request: codes and ids, never free text, names or secrets.
_SHOWN: Final = frozenset(
    {
        "asset", "begins", "company", "cylinder", "days", "decision", "ends", "grant", "key", "kind", "mode",
        "permissions", "purpose", "role", "roles", "state", "system", "unit", "until", "zone",
    }
)  # fmt: skip
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/+-]{1,80}")
_CUT: Final = 20


class SecondPersonNeeded(NotAllowed):
    """A second person has to confirm this first."""

    def __init__(self, permission: Permission, proposal: UUID | None = None) -> None:
        """Name the proposal that waits, once there is one."""
        self.permission, self.proposal = permission, proposal
        super().__init__(
            f"a second person has to confirm this first: proposal {proposal} waits for them; then send the same "
            "request again"
            if proposal
            else f"a second person has to confirm {permission} first"
        )


@dataclass(frozen=True, slots=True)
class Said:
    """What a request says, and the digest that names it."""

    method: str
    path: str
    fields: Mapping[str, Any]
    header_reason: str

    @property
    def reason(self) -> str:
        """Why, in the words of whoever asks."""
        for name in _REASONS:
            value = self.fields.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return self.header_reason

    @property
    def digest(self) -> str:
        """Equal for equal requests, however their fields are ordered."""
        text = json.dumps([self.method, self.path, self.fields], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def shown(self) -> dict[str, str]:
        """What a second person is shown."""
        found = {}
        for name, value in self.fields.items():
            parts = value if isinstance(value, list) else [value]
            text = ", ".join(str(part) for part in parts[:_CUT] if _is_plain(name, part))
            if text:
                found[name] = text
        return found


def checked_reason(text: str) -> str:
    """Return a reason without outer spaces.

    Raises:
        InvalidInput: there is none, or it is too long to be one.
    """
    reason = text.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise InvalidInput("reason", f"say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters")
    return reason


async def clear(
    request: Request[Any, Any, Any],
    web: Web,
    caller: Principal,
    needed: Iterable[Permission],
    *,
    rehearses: bool = False,
    asks_why: bool = False,
) -> Principal:
    """Return the caller as this request may be done, with what the matrix asks for.

    `asks_why`: the route itself refuses a request without a reason, beside its form.
    `rehearses`: the route knows `dry_run`, so a request that says so changes nothing. Elsewhere the word means nothing.

    Raises:
        InvalidInput: no reason, where a row asks for one.
        SecondPersonNeeded: nobody has confirmed it yet; it is proposed now.
    """
    said = await what_is_said(request)
    if rehearses and said.fields.get("dry_run") is True:
        return replace(caller, reasoned=True, cleared=frozenset(Permission))
    if asks_why and not said.reason:
        return caller  # neither reasoned nor cleared
    return await clear_said(web, caller, needed, said)


async def clear_said(web: Web, caller: Principal, needed: Iterable[Permission], said: Said) -> Principal:
    """Return the caller as what is said may be done; a page's form may stand for the API's request of the same act.

    Raises:
        InvalidInput: no reason, where a row asks for one.
        SecondPersonNeeded: nobody has confirmed it yet; it is proposed now.
    """
    terms = {permission: caller.terms_of(permission) for permission in needed}
    asked = [permission for permission, found in terms.items() if found is not None and found.reason]
    if asked and not said.reason:
        raise InvalidInput("reason", "say why; the authority matrix asks for it")
    if asked and said.reason == said.header_reason:
        await web.services.database.transact(lambda tx: _tell_reason(tx, web, caller, asked, said))
    caller = replace(caller, reasoned=bool(said.reason))
    if not any(found.second for found in caller.holdings.terms.values()):
        return caller
    done = await web.services.database.transact(lambda tx: _use(tx, web, caller, said))
    if done is not None:
        caller = replace(caller, cleared=frozenset({Permission(done.payload["permission"])}))
    for permission, found in terms.items():
        if found is not None and found.second and needs_ticket(caller, permission):
            raise await propose(web, caller, permission, said)
    return caller


def needs_ticket(caller: Principal, permission: Permission) -> bool:
    """Tell whether an act on a permission that takes a second person was not confirmed, nor waits by itself."""
    return permission not in BUILT_IN_SECOND and permission not in caller.cleared


async def propose(web: Web, caller: Principal, permission: Permission, said: Said) -> SecondPersonNeeded:
    """Let a request wait for a second person, and return what to tell whoever sent it.

    Raises:
        InvalidInput: no reason: the second person has nothing to go by.
    """
    if not said.reason:
        raise InvalidInput("reason", "say why; a second person has to confirm this and will read it")

    async def work(tx: Connection) -> Proposal:
        waiting = await web.access.proposals.find_act(tx, caller, said.digest, web.now)
        if waiting is not None and waiting.state == "open":
            return waiting
        return await web.access.proposals.propose(
            tx,
            caller,
            "history" if permission == Permission.IDENTITY_HISTORY_READ else "act",
            subject=f"act:{permission}",
            payload={
                "permission": str(permission),
                "method": said.method,
                "path": said.path,
                "digest": said.digest,
                "shown": said.shown,
            },
            reason=said.reason[:LONGEST_REASON],
            at=web.now,
        )

    made = await web.services.database.transact(work)
    return SecondPersonNeeded(permission, made.id)


async def what_is_said(request: Request[Any, Any, Any]) -> Said:
    """Read what a request says; what is neither a form nor JSON says only its address."""
    kind = request.headers.get("content-type", "")
    fields: dict[str, Any] = {}
    if kind.startswith(_FORM_TYPES):
        fields = _form_fields(await request.form())
    else:
        body = await request.body()
        try:
            read = msgspec.json.decode(body) if body and "json" in kind else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            read = {}  # the handler says what is wrong with it
        fields = read if isinstance(read, dict) else {}
        if not fields and body:
            fields = {"": hashlib.sha256(body).hexdigest()}
    query = request.scope["query_string"].decode("latin-1")
    return Said(
        method=str(request.method),
        path=request.url.path + (f"?{query}" if query else ""),
        fields={name: value for name, value in fields.items() if name not in _NOT_SAID},
        header_reason=request.headers.get(REASON_HEADER, "").strip()[:LONGEST_REASON],
    )


def _form_fields(form: FormMultiDict) -> dict[str, Any]:
    """Return all that a form says: a field that stands several times says all of its values."""
    found: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


async def _use(tx: Connection, web: Web, caller: Principal, said: Said) -> Proposal | None:
    found = await web.access.proposals.find_act(tx, caller, said.digest, web.now)
    if found is None or found.state != "confirmed":
        return None
    await web.access.proposals.use(tx, found, caller, web.now)
    return found


async def _tell_reason(
    tx: Connection, web: Web, caller: Principal, permissions: list[Permission], said: Said
) -> None:
    """Put a reason on the log that came beside the act and not in it."""
    at = web.now
    await web.services.ledger.record(
        tx,
        Entry(
            kind="access:act:explain",
            occurred_at=at,
            recorded_at=at,
            actor=caller.actor,
            subjects=(f"user:{caller.user_id}",),
            body={
                "permissions": [str(permission) for permission in permissions],
                "path": said.path,
                "reason": typed(caller.actor, said.reason),
            },
        ),
    )


def _is_plain(name: str, value: object) -> bool:
    if isinstance(value, bool | int):
        return True
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        return False
    try:
        UUID(value)
    except ValueError:
        return name in _SHOWN
    return True
