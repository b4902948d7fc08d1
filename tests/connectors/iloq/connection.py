"""A connector that ends in a simulated locking system, and the clock and session store it needs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from key2xs.connectors.iloq import IloqConfig, IloqConnector
from key2xs.core.secret import Secret
from key2xs.keys.port import StoredSession
from key2xs_twin import iloq
from key2xs_twin.world import World


class WorldClock:
    """Domain time is the world's time; monotonic time is of no use here."""

    def __init__(self, world: World) -> None:
        self.world = world

    def now(self) -> datetime:
        return self.world.now

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Wish:
    """That somebody wants signing in tried again, as all workers see it."""

    asked_at: datetime | None = None
    taken_at: datetime | None = None
    worked: bool = False


class KeptSession:
    """A session store in memory that remembers what happened to it."""

    def __init__(self, wish: Wish | None = None) -> None:
        self.session: StoredSession | None = None
        self.saved: list[StoredSession] = []
        self.wish = wish or Wish()

    async def load(self) -> StoredSession | None:
        return self.session

    async def save(self, session: StoredSession) -> None:
        self.session = session
        self.saved.append(session)
        self.wish.worked = True

    async def may_sign_in_again(self, refused_at: datetime) -> bool:
        wish = self.wish
        if wish.asked_at is None or wish.asked_at <= refused_at:
            return False
        if wish.taken_at != wish.asked_at:
            wish.taken_at, wish.worked = wish.asked_at, False
            return True
        return wish.worked

    async def others(self) -> tuple[()]:
        return ()

    async def clear(self) -> None:
        self.session = None


def make_config(world: World, **more: object) -> IloqConfig:
    account = world.iloq.account
    settings: dict[str, object] = {
        "base_url": "https://iloq.test/iloqws",
        "customer_code": account.customer_code,
        "user_name": account.user_name,
        "password": Secret(account.password),
        "time_zone": account.time_zone,
        "request_timeout": timedelta(seconds=5),
    }
    return IloqConfig(**(settings | more))  # type: ignore[arg-type]  # overrides by name, typed by the class itself


def make_connector(world: World, *, store: KeptSession | None = None, **more: object) -> IloqConnector:
    return IloqConnector(
        make_config(world, **more),
        store=store or KeptSession(),
        clock=WorldClock(world),
        transport=iloq.transport(world),
    )
