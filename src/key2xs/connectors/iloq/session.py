"""Signing in: four steps, each with its own ways to fail, and one rule for sessions that end under us.

    POST Url/GetUrl      where to talk to from now on; null or empty = stay
    POST CreateSession   result codes in a 200 answer
    GET LockGroups       which locking system
    POST SetLockgroup    what the service user may do (RightsMask)

A 401 later means that the session ended and that nothing was carried out. Then we sign in again and repeat the call
once, but only while the stored session is still ours. If a successor fenced or replaced it, this worker was taken over
and must not write any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import urlsplit

from key2xs.core.clock import Clock
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry
from key2xs.keys.port import SessionStore, StoredSession

from .answers import missing_options, missing_rights, zone_mismatch
from .client import Call, Done, IloqClient, SessionEnded
from .config import IloqConfig
from .payloads import CreatedSession, LockGroup, RightsMask

__all__ = ["IloqSession"]

T = TypeVar("T")

_INTEGRATION: Final = "integration administrator"

# CreateSession results (iLOQ Public API v2). A person has to act on these; trying again locks the user out.
_NEEDS_PERSON: Final[Mapping[int, str]] = {
    2: "the server does not speak this version of the interface",
    3: "the server asks for https",
    5: "user name, password or customer code is wrong",
    6: "the locking system's database is older than the server",
    7: "the service user has just been locked out",
    8: "the service user is locked out",
    9: "the service user's password has expired",
    10: "single sign-on was cancelled; the interface needs a user with a password",
    11: "the locking system's database is newer than the server",
}
VENDOR_DOMAINS: Final = ("iloq.com", "iloq.de")  # iLOQ Public API v2: usual bases s5.iloq.com and s5.iloq.de
_DATABASE_UPDATE: Final = 4  # "try again later" by the vendor's own words
_OK: Final = 1

# Put before a stored session id while a successor ends the session: its owner no longer finds its own there. It stays
# readable for the next successor, should this one break off.
_FENCE: Final = "fenced "


class IloqSession:
    """The session of one worker; opens itself when it is first needed."""

    def __init__(self, client: IloqClient, config: IloqConfig, store: SessionStore, clock: Clock) -> None:
        """Remember the parts; nothing is sent yet."""
        self._client, self._config, self._store, self._clock = client, config, store, clock
        self._mine: StoredSession | None = None

    async def request(self, call: Call, shape: type[T]) -> T:
        """Send a call inside the session.

        Raises:
            CallFailed: see `client`; `Retry` as well when another worker took the session over.
        """
        session = self._mine or await self.open()
        try:
            return await self._send(call, shape, session)
        except SessionEnded:
            await self._require_not_taken_over(session)
        session = await self.open()
        try:
            return await self._send(call, shape, session)
        except SessionEnded as err:
            raise Retry(self._config.retry_after, "the vendor ended a session that was just opened") from err

    async def open(self) -> StoredSession:
        """Sign in, store the session, choose the locking system and check rights."""
        self._mine = None
        base_url = await self._find_base()
        secret = await self._create_session(base_url)
        session = StoredSession(secret, base_url, self._clock.now())
        # Stored before anything else is done with it: a successor must be able to end it.
        await self._store.save(session)
        try:
            await self._choose_lock_group(session)
        except SessionEnded as err:
            raise Retry(self._config.retry_after, "the vendor ended the session while signing in") from err
        self._mine = session
        return session

    async def close(self) -> None:
        """End our own session; a vendor that is down does not keep us from leaving."""
        session, self._mine = self._mine, None
        if session is None:
            return
        stored = await self._store.load()
        try:
            await self._kill(session)
        except CallFailed:
            return  # It stays in the store, so that the next worker ends it.
        if stored is not None and stored.secret == session.secret:
            await self._store.clear()

    async def end_stored(self) -> None:
        """End every session that a worker left in the stores.

        A store is fenced first: its owner, finding its session ended, then sees that it was taken over and does not
        sign in again to repeat a late write. A worker that is alive loses its session as well; it signs in anew.
        """
        self._mine = None
        for store in (self._store, *await self._store.others()):
            stored = await store.load()
            if stored is not None:
                stored = replace(stored, secret=stored.secret.removeprefix(_FENCE))
                await store.save(replace(stored, secret=_FENCE + stored.secret))
                await self._kill(stored)
                await store.clear()

    async def _send(self, call: Call, shape: type[T], session: StoredSession) -> T:
        return await self._client.send(call, shape, base_url=session.base_url, session=session.secret)

    async def _require_not_taken_over(self, session: StoredSession) -> None:
        self._mine = None
        stored = await self._store.load()
        if stored is None or stored.secret != session.secret:
            raise Retry(timedelta(0), "another worker took this connection over")

    async def _kill(self, session: StoredSession) -> None:
        try:
            # A GET with an effect (iLOQ Public API v2); repeating it is harmless, so it counts as a read.
            await self._client.send(
                Call("GET", "KillSession"), Done, base_url=session.base_url, session=session.secret
            )
        except SessionEnded:
            return

    async def _find_base(self) -> str:
        """Ask where this customer lives. Never skipped: the vendor moves customers between pools."""
        call = Call("POST", "Url/GetUrl", body={"CustomerCode": self._config.customer_code})
        answer = await self._unsigned(call, object, self._config.base_url)
        if answer is not None and not isinstance(answer, str):
            raise Retry(self._config.retry_after, f"{call} gave no address")
        if not answer or not answer.strip():
            return self._config.base_url
        self._require_trusted(answer.strip())
        return answer.strip()

    def _require_trusted(self, url: str) -> None:
        """The next request carries the password: send it only to a place that somebody vouched for."""
        known, offered = urlsplit(self._config.base_url), urlsplit(url)
        host = (offered.hostname or "").lower()
        is_known = host == (known.hostname or "").lower() or host in self._config.trusted_hosts
        has_safe_scheme = offered.scheme in {"https", known.scheme}
        if not has_safe_scheme or not (is_known or _is_vendor_host(host)):
            raise NeedsPerson(
                _INTEGRATION, f"check that iLOQ really moved to {host or url!r} and trust that host"
            )

    async def _create_session(self, base_url: str) -> str:
        body = {
            "CustomerCode": self._config.customer_code,
            "UserName": self._config.user_name,
            "Password": self._config.password.reveal(),
        }
        created = await self._unsigned(Call("POST", "CreateSession", body=body), CreatedSession, base_url)
        if created.result == _OK and created.session_id:
            return created.session_id
        if created.result == _DATABASE_UPDATE:
            raise Retry(self._config.retry_after, "the vendor is updating the database")
        if created.result in _NEEDS_PERSON:
            raise NeedsPerson(_INTEGRATION, f"iLOQ sign-in: {_NEEDS_PERSON[created.result]}")
        raise Retry(self._config.retry_after, f"iLOQ sign-in gave result {created.result}")

    async def _choose_lock_group(self, session: StoredSession) -> None:
        groups = await self._send(Call("GET", "LockGroups"), list[LockGroup], session)
        group = self._pick(groups)
        if group.state != 0:
            raise NeedsPerson(_INTEGRATION, f"locking system {group.lock_group_id} is not in use")
        if lacking := missing_options(group.option_mask):
            raise NeedsPerson(_INTEGRATION, f"switch on in the locking system: {', '.join(lacking)}")
        if problem := zone_mismatch(group.time_zone, self._config.zone, at=self._clock.now()):
            raise NeedsPerson(_INTEGRATION, problem)
        body = {"LockGroup_ID": group.lock_group_id}
        mask = await self._send(Call("POST", "SetLockgroup", body=body), RightsMask, session)
        if lacking := missing_rights(mask.rights_mask):
            raise NeedsPerson("iLOQ administrator", f"give the service user: {', '.join(lacking)}")

    def _pick(self, groups: list[LockGroup]) -> LockGroup:
        wanted = self._config.lock_group
        if wanted is None and len(groups) == 1:
            return groups[0]
        for group in groups:
            if wanted is not None and group.lock_group_id.lower() == wanted.lower():
                return group
        raise NeedsPerson(_INTEGRATION, f"choose one of {len(groups)} locking systems (lock_group)")

    async def _unsigned(self, call: Call, shape: type[T], base_url: str) -> T:
        try:
            return await self._client.send(call, shape, base_url=base_url)
        except SessionEnded as err:
            raise Refused(f"{call} was answered 401 before signing in") from err


def _is_vendor_host(host: str) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in VENDOR_DOMAINS)
