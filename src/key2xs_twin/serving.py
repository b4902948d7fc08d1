"""Serve a twin over real sockets: one process, one event loop, two ports on 127.0.0.1."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn

from key2xs_twin.control import TwinControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from key2xs_twin.edge import Message, Receiver, Sender
    from key2xs_twin.world import World

HOST = "127.0.0.1"  # the twin knows no passwords worth the name; it never listens to a network


@dataclass(slots=True)
class TwinServer:
    """Both vendors' interfaces on one port, the control interface on another; port 0 takes a free one.

    `announce` is called once with the ready line when both ports answer.
    """

    world: World
    port: int = 0
    control_port: int = 0
    announce: Callable[[str], None] | None = None
    control: TwinControl = field(init=False)
    _server: uvicorn.Server | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.control = TwinControl(self.world)

    async def serve(self) -> None:
        """Serve until `stop` or a signal; OSError when a port is taken."""
        sockets = [_listen(self.port), _listen(self.control_port)]
        self.port, self.control_port = (each.getsockname()[1] for each in sockets)
        config = uvicorn.Config(
            self._dispatch, interface="asgi3", lifespan="off", log_level="error", access_log=False
        )
        self._server = _AnnouncingServer(config, self._ready)
        try:
            await self._server.serve(sockets=sockets)
        finally:
            for each in sockets:
                each.close()

    def stop(self) -> None:
        """Ask the server to end; calls under way are finished first."""
        if self._server is not None:
            self._server.should_exit = True

    def ready_line(self) -> str:
        """One line of JSON: where everything is and how to sign in."""
        account = self.world.iloq.account
        ready = {
            "ready": True,
            "iloq": f"http://{HOST}:{self.port}/iloqws",
            "control": f"http://{HOST}:{self.control_port}/control",
            "lock_group_id": str(account.lock_group_id),
            "customer_code": account.customer_code,
            "user_name": account.user_name,
            "password": account.password,
            "cliq": f"http://{HOST}:{self.port}",  # before /cliq-sim/v1
            "cliq_client": self.world.cliq.account.client,
            "cliq_secret": self.world.cliq.account.secret,
            "now": self.world.now.isoformat(),
        }
        return json.dumps(ready)

    def _ready(self) -> None:
        if self.announce is not None:
            self.announce(self.ready_line())

    async def _dispatch(self, scope: Message, receive: Receiver, send: Sender) -> None:
        """The port a call came in on says whom it is for."""
        for_control = scope["server"][1] == self.control_port
        app = self.control.app if for_control else self.control.vendor
        await app(scope, receive, send)


class _AnnouncingServer(uvicorn.Server):
    """uvicorn, telling when it has started."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _listen(port: int) -> socket.socket:
    # The protocol is named on purpose: asyncio switches Nagle's algorithm off only for sockets that say TCP, and with
    # it on every answer waits 40 ms for the client's delayed acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise
    return listening
