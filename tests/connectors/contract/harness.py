"""The vendor's world behind one suite: what a test may ask of it, whatever the make.

A harness builds the world from the twin, names its things, and offers acts: hold back and deliver programs, open, carry
the log, edit in the vendor's own tool, break calls, end sessions, carry a block to the locks.
"""

from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal, TypeAlias
from uuid import UUID

import httpx2

from key2xs.connectors.cliq import CliqConnector
from key2xs.connectors.iloq import IloqConnector
from key2xs.core.secret import Secret
from key2xs.keys.port import KeyKind, KeySystemPort
from key2xs.keys.program import Program
from key2xs_twin import cliq, iloq
from key2xs_twin.faults import Fault
from key2xs_twin.world import World
from tests.connectors.cliq import connection as cliq_connection
from tests.connectors.iloq import connection as iloq_connection
from tests.connectors.iloq.connection import KeptSession, WorldClock
from tests.twin import cliq_factory as cliq_site
from tests.twin.iloq import factory as iloq_site

Act: TypeAlias = Literal["sign_in", "read", "write", "order", "block", "block_list", "events", "inventory"]

SOON = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)  # 06:00 in Amsterdam, the morning after


class Silent(httpx2.AsyncBaseTransport):
    """A network on which requests of some methods are never answered."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *methods: str) -> None:
        self.inner, self.methods = inner, methods

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method in self.methods:
            raise httpx2.ReadTimeout("silence", request=request)
        return await self.inner.handle_async_request(request)


class Harness(ABC):
    """One make's world. `key` is programmed, opens `held` and not `other`."""

    name: ClassVar[str]
    operations: ClassVar[dict[Act, str]]
    world: World
    key: str
    held: str
    other: str
    right_held: str
    right_other: str
    kinds: tuple[KeyKind, ...]
    read_only_kinds: tuple[KeyKind, ...] = ()

    @abstractmethod
    def connect(self, store: KeptSession | None = None, **more: object) -> KeySystemPort:
        """Make a connector; `more` are settings of its own."""

    @abstractmethod
    def wrong_password(self) -> KeySystemPort:
        """Make a connector that may not sign in."""

    @abstractmethod
    def without_network(self) -> KeySystemPort:
        """Make a connector that reaches nobody."""

    @abstractmethod
    def hold_back(self) -> None:
        """From now on nothing reaches the key before `deliver`."""

    @abstractmethod
    def deliver(self) -> None:
        """The key takes what waits for it."""

    @abstractmethod
    def carry_log(self) -> None:
        """Whatever devices remember of the key's openings reaches the vendor's server."""

    @abstractmethod
    def edit(self) -> None:
        """Somebody gives the key `held` and `other` in the vendor's own tool, without sending it."""

    @abstractmethod
    def book_to_somebody_else(self) -> None:
        """Somebody books the key to another person in the vendor's own tool."""

    @abstractmethod
    def expire_sessions(self) -> None:
        """The vendor forgets every session."""

    @abstractmethod
    def carry_block(self) -> None:
        """Whoever has to carries the block list to the locks, and comes back."""

    @abstractmethod
    def calls(self, act: Act) -> int:
        """Count the calls of an act that the vendor has seen."""

    @abstractmethod
    def planned(self) -> frozenset[str]:
        """Return the locks that the vendor's plan of the key opens, from the twin itself."""

    @property
    def night(self) -> Program:
        """A program that opens `other` until the morning."""
        return Program(frozenset({self.right_other}), ends_at=SOON, offline_expires_after=timedelta(hours=8))

    def opens(self, lock: str) -> bool:
        """Hold the key to a lock."""
        return self.world.present(UUID(self.key), UUID(lock)).ok

    def fault(self, act: Act, effect: str, **more: object) -> None:
        """Let calls of an act go wrong."""
        self.world.faults.add(Fault(operation=self.operations[act], effect=effect, **more))  # type: ignore[arg-type]

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.world.advance_to(self.world.now + timedelta(**by))


class IloqHarness(Harness):
    """A phone key whose network comes and goes."""

    name = "iloq"
    operations: ClassVar[dict[Act, str]] = {
        "sign_in": "POST CreateSession",
        "read": "GET Keys/*",
        "write": "PUT Keys/*/SecurityAccesses",
        "order": "POST Keys/*/Order",
        "block": "POST Blacklists/AddKey/*",
        "block_list": "POST Blacklists/OrderS40Blacklist",
        "events": "POST LockLogs/GetLockLogDataByTimestamp",
        "inventory": "GET Locks",
    }
    kinds = (KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL)

    def __init__(self) -> None:
        self.world = iloq_site.make_world()
        self.key = str(iloq_site.PHONE)
        self.held, self.other = str(iloq_site.LOCK_PUMP), str(iloq_site.LOCK_VALVE)
        self.right_held, self.right_other = str(iloq_site.PUMP), str(iloq_site.VALVE)

    def connect(self, store: KeptSession | None = None, **more: object) -> KeySystemPort:
        return iloq_connection.make_connector(self.world, store=store, **more)

    def wrong_password(self) -> KeySystemPort:
        return iloq_connection.make_connector(self.world, password=Secret("wrong"))

    def without_network(self) -> KeySystemPort:
        return IloqConnector(
            iloq_connection.make_config(self.world),
            store=KeptSession(),
            clock=WorldClock(self.world),
            transport=Silent(iloq.transport(self.world), "GET", "POST", "PUT"),
        )

    def hold_back(self) -> None:
        self.world.cut_network(iloq_site.PHONE)

    def deliver(self) -> None:
        self.world.restore_network(iloq_site.PHONE)

    def carry_log(self) -> None:
        # What the locks remember, with the programmer; what the phone took along, when it has network.
        self.world.restore_network(iloq_site.PHONE)
        for lock in (iloq_site.LOCK_PUMP, iloq_site.LOCK_VALVE):
            self.world.programmer_visit(lock)

    def edit(self) -> None:
        self.world.out_of_band.change_rights(iloq_site.PHONE, [iloq_site.PUMP, iloq_site.VALVE])

    def book_to_somebody_else(self) -> None:
        self.world.out_of_band.hand_to(iloq_site.PHONE, iloq_site.BORIS)

    def expire_sessions(self) -> None:
        self.fault("read", "unauthorised", times=1)

    def carry_block(self) -> None:
        for lock in (iloq_site.LOCK_PUMP, iloq_site.LOCK_VALVE):
            self.world.programmer_visit(lock)

    def calls(self, act: Act) -> int:
        return self.world.iloq.calls[self.operations[act]]

    def planned(self) -> frozenset[str]:
        rights = self.world.iloq.state.keys[iloq_site.PHONE].plan.right_ids
        return frozenset(
            lock
            for lock, right in ((self.held, iloq_site.PUMP), (self.other, iloq_site.VALVE))
            if right in rights
        )


class CliqHarness(Harness):
    """A dynamic key that somebody has to hold to an updater."""

    name = "cliq"
    operations: ClassVar[dict[Act, str]] = {
        "sign_in": "POST cliq/sessions",
        "read": "GET cliq/keys/*",
        "write": "PUT cliq/keys/*/plan",
        "order": "POST cliq/keys/*/send",
        "block": "POST cliq/keys/*/report",
        "block_list": "POST cliq/jobs",
        "events": "GET cliq/events",
        "inventory": "GET cliq/cylinders",
    }
    kinds = (KeyKind.DYNAMIC, KeyKind.CONNECT, KeyKind.NORMAL)
    read_only_kinds = (KeyKind.UNKNOWN,)

    def __init__(self) -> None:
        self.world = cliq_site.make_world()
        self.key = str(cliq_site.DYNAMIC)
        self.held, self.other = str(cliq_site.GATE), str(cliq_site.TANK)
        self.right_held, self.right_other = f"cyl:{cliq_site.GATE}", f"cyl:{cliq_site.TANK}"
        self._holding_back = False

    def connect(self, store: KeptSession | None = None, **more: object) -> KeySystemPort:
        return cliq_connection.make_connector(self.world, store=store, **more)

    def wrong_password(self) -> KeySystemPort:
        return cliq_connection.make_connector(self.world, secret=Secret("wrong"))

    def without_network(self) -> KeySystemPort:
        return CliqConnector(
            cliq_connection.make_config(self.world),
            store=KeptSession(),
            clock=WorldClock(self.world),
            transport=Silent(cliq.transport(self.world), "GET", "POST", "PUT"),
        )

    def hold_back(self) -> None:
        self._holding_back = True

    def deliver(self) -> None:
        assert self.world.present_at_updater(cliq_site.DYNAMIC, cliq_site.WALL)

    def carry_log(self) -> None:
        # The key's memory at the updater, and the cylinders' with a programming key: each opening is told twice.
        self.world.present_at_updater(cliq_site.DYNAMIC, cliq_site.WALL)
        self._round()

    def edit(self) -> None:
        self.world.cliq_out_of_band.change_plan(cliq_site.DYNAMIC, [cliq_site.GATE, cliq_site.TANK])

    def book_to_somebody_else(self) -> None:
        self.world.cliq_out_of_band.hand_to(cliq_site.DYNAMIC, "c-99")

    def expire_sessions(self) -> None:
        self.world.cliq.sessions.end_all()

    def carry_block(self) -> None:
        self.world.load_programming_key(cliq_site.CARRIER, cliq_site.WALL)
        self._round()

    def calls(self, act: Act) -> int:
        return self.world.cliq.calls[self.operations[act].replace("cliq/", "")]

    def planned(self) -> frozenset[str]:
        plan = self.world.cliq.state.keys[cliq_site.DYNAMIC].plan
        assert plan is not None
        return frozenset(str(each) for each in plan.cylinder_ids)

    def _round(self) -> None:
        for cylinder in (cliq_site.GATE, cliq_site.TANK):
            self.world.insert_programming_key(cliq_site.CARRIER, cylinder)
        self.world.return_programming_key(cliq_site.CARRIER, cliq_site.WALL)


MAKES: tuple[type[Harness], ...] = (IloqHarness, CliqHarness)
