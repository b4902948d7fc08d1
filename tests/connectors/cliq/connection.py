"""A connector that ends in a simulated CLIQ system."""

from datetime import timedelta

from key2xs.connectors.cliq import CliqConfig, CliqConnector
from key2xs.core.secret import Secret
from key2xs_twin import cliq
from key2xs_twin.world import World
from tests.connectors.iloq.connection import KeptSession, WorldClock


def make_config(world: World, **more: object) -> CliqConfig:
    account = world.cliq.account
    settings: dict[str, object] = {
        "base_url": "https://cliq.test",
        "client": account.client,
        "secret": Secret(account.secret),
        "time_zone": account.time_zone,
        "request_timeout": timedelta(seconds=5),
    }
    return CliqConfig(**(settings | more))  # type: ignore[arg-type]  # overrides by name, typed by the class itself


def make_connector(world: World, *, store: KeptSession | None = None, **more: object) -> CliqConnector:
    return CliqConnector(
        make_config(world, **more),
        store=store or KeptSession(),
        clock=WorldClock(world),
        transport=cliq.transport(world),
    )
