"""Signing in: four steps, each with its own ways to fail.

    POST Url/GetUrl      where to talk to from now on; null or empty = stay
    POST CreateSession   result codes in a 200 answer
    GET LockGroups       which locking system
    POST SetLockgroup    what the service user may do (RightsMask)

A 401 later means that the session ended and that nothing was carried out; `takeover` has the rule for that.
Wrong credentials, a lockout and an expired password (5, 7, 8, 9) end all trying: each further try of a loop would lock
the user out again. A person puts it right and says so: that is kept where every process sees it, and of all of them one tries, once
for each time that somebody says so. The others follow when that has worked. A restart tries, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeVar
from urllib.parse import urlsplit

from key2xs.connectors.takeover import SessionEnded, WorkerSession
from key2xs.core.clock import Clock
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry
from key2xs.keys.onboarding import Finding, Weight
from key2xs.keys.port import SessionStore, StoredSession

from .answers import missing_options, missing_rights, zone_mismatch
from .client import Call, Done, IloqClient
from .config import IloqConfig
from .examination import account_finding, group_findings, rights_findings
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
_NEVER_AGAIN: Final = frozenset({5, 7, 8, 9})  # iLOQ Public API v2, CreateSession: stop retrying on these
VENDOR_DOMAINS: Final = ("iloq.com", "iloq.de")  # iLOQ Public API v2: usual bases s5.iloq.com and s5.iloq.de
_DATABASE_UPDATE: Final = 4  # "try again later" by the vendor's own words
_OK: Final = 1


class IloqSession(WorkerSession):
    """The session of one worker; opens itself when it is first needed."""

    def __init__(
        self,
        client: IloqClient,
        config: IloqConfig,
        store: SessionStore,
        clock: Clock,
        *,
        needs: Mapping[int, str] | None = None,
    ) -> None:
        """Remember the parts; nothing is sent yet. `needs`: bits of RightsMask with their names, if not the usual ones."""
        super().__init__(store, config.retry_after)
        self._client, self._config, self._clock, self._needs = client, config, clock, needs
        self._stopped: NeedsPerson | None = None
        self._stopped_at = clock.now()

    async def request(self, call: Call, shape: type[T]) -> T:
        """Send a call inside the session.

        Raises:
            CallFailed: see `client`; `Retry` as well when another worker took the session over.
        """
        return await self.inside(lambda session: self._send(call, shape, session))

    async def sign_in(self) -> StoredSession:
        """Sign in, store the session, choose the locking system and check rights."""
        session = await self._new_session()
        try:
            await self._choose_lock_group(session)
        except NeedsPerson:
            # Loops come back until a person has acted: a session left behind each time would add up at the vendor.
            await self._drop(session)
            raise
        return session

    async def examine(self) -> tuple[Finding, ...]:
        """Say everything that the account and the locking system lack; the open session is used if there is one.

        Raises:
            CallFailed: the vendor did not answer, or this worker was taken over.
        """
        session = self._mine
        if session is not None:
            try:
                return await self._examine(session)
            except SessionEnded:
                await self._require_not_taken_over(session)
        try:
            session = await self._new_session()
        except NeedsPerson as refused:
            return (account_finding(refused),)
        try:
            found = await self._examine(session)
        except SessionEnded as err:
            raise Retry(self._config.retry_after, "the vendor ended a session that was just opened") from err
        if any(each.weight is Weight.STOPS for each in found):
            await self._drop(session)
        else:
            self._mine = session
        return found

    async def _new_session(self) -> StoredSession:
        if self._stopped is not None:
            if not await self._store.may_sign_in_again(self._stopped_at):
                raise NeedsPerson(self._stopped.who, self._stopped.what)
            self._stopped = None
        base_url = await self._find_base()
        secret = await self._create_session(base_url)
        session = StoredSession(secret, base_url, self._clock.now())
        # Stored before anything else is done with it: a successor must be able to end it.
        await self._store.save(session)
        return session

    async def _drop(self, session: StoredSession) -> None:
        """End a session that is of no use; what cannot be ended stays in the store for the next one."""
        with suppress(CallFailed):
            await self._end(session)
            stored = await self._store.load()
            if stored is not None and stored.secret == session.secret:
                await self._store.clear()

    async def _examine(self, session: StoredSession) -> tuple[Finding, ...]:
        signed_in = account_finding(None)
        try:
            group = self._pick(await self._send(Call("GET", "LockGroups"), list[LockGroup], session))
        except NeedsPerson as err:
            says = "It is not clear which locking system is meant."
            return signed_in, Finding("locking_system", Weight.STOPS, says, who=err.who, does=err.what)
        found = (signed_in, *group_findings(group, self._config.zone, at=self._clock.now()))
        try:
            mask = await self._rights_in(group, session)
        except (NeedsPerson, Refused) as err:
            # With its options off a locking system may not let itself be chosen at all.
            return (*found, Finding("rights", Weight.NOT_CHECKED, f"Rights could not be read: {err}."))
        return (*found, *rights_findings(mask))

    async def sign_out(self, session: StoredSession) -> None:
        """End a session. A GET with an effect (iLOQ Public API v2); repeating it is harmless, so it counts as a read."""
        await self._send(Call("GET", "KillSession"), Done, session)

    async def _send(self, call: Call, shape: type[T], session: StoredSession) -> T:
        return await self._client.send(call, shape, base_url=session.base_url, session=session.secret)

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
            what = f"iLOQ sign-in: {_NEEDS_PERSON[created.result]}"
            if created.result not in _NEVER_AGAIN:
                raise NeedsPerson(_INTEGRATION, what)
            self._stopped = NeedsPerson(
                _INTEGRATION, f"{what}; put it right, then let Key2XS sign in again: it does not by itself"
            )
            self._stopped_at = self._clock.now()
            raise self._stopped
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
        mask = await self._rights_in(group, session)
        needs = self._needs
        lacking = (
            missing_rights(mask) if needs is None else [name for bit, name in needs.items() if not mask & bit]
        )
        if lacking:
            raise NeedsPerson("iLOQ administrator", f"give the service user: {', '.join(lacking)}")

    async def _rights_in(self, group: LockGroup, session: StoredSession) -> int:
        body = {"LockGroup_ID": group.lock_group_id}
        return (await self._send(Call("POST", "SetLockgroup", body=body), RightsMask, session)).rights_mask

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
