"""Serve a twin over real sockets: one process, one event loop, two ports on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import uvicorn

from key2xs_twin.control import TwinControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from key2xs_twin.edge import Message, Receiver, Sender
    from key2xs_twin.iloq.webhooks import Post
    from key2xs_twin.world import World

TICK_S = 0.2  # how finely time passes by itself
HOST = "127.0.0.1"  # the twin knows no passwords worth the name; it never listens to a network


@dataclass(slots=True)
class TwinServer:
    """Both vendors' interfaces on one port, the control interface on another; port 0 takes a free one.

    `announce` is called once with the ready line when both ports answer. `speed` is how many seconds pass in the world
    for each second outside; 0: time stands still unless somebody says `advance`.
    """

    world: World
    port: int = 0
    control_port: int = 0
    announce: Callable[[str], None] | None = None
    speed: float = 0.0
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
        aside = [asyncio.create_task(self._send_webhooks())]
        if self.speed:
            aside.append(asyncio.create_task(self._let_time_pass()))
        try:
            await self._server.serve(sockets=sockets)
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)
            for each in sockets:
                each.close()

    def stop(self) -> None:
        """Ask the server to end; calls under way are finished first."""
        if self._server is not None:
            self._server.should_exit = True

    async def _let_time_pass(self) -> None:
        loop = asyncio.get_running_loop()
        seen = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            self.world.advance_to(self.world.now + timedelta(seconds=(now - seen) * self.speed))
            seen = now

    async def _send_webhooks(self) -> None:
        """Send what is due by the world's time, as soon as it is: to whatever address was subscribed."""
        async with httpx2.AsyncClient(timeout=None, follow_redirects=False, trust_env=False) as http:

            async def send(post: Post) -> tuple[int, bytes]:
                try:
                    answer = await http.post(post.url, content=post.body, headers=post.headers)
                except (httpx2.HTTPError, httpx2.InvalidURL) as err:
                    raise OSError(f"nobody answers at {post.url}") from err
                return answer.status_code, answer.content

            while True:
                await asyncio.sleep(TICK_S)
                await self.world.iloq.webhooks.flush(send)

    @property
    def vendor_url(self) -> str:
        """Where both makers' interfaces are."""
        return f"http://{HOST}:{self.port}"

    @property
    def control_url(self) -> str:
        """Where the control interface is."""
        return f"http://{HOST}:{self.control_port}/control"

    def ready_line(self) -> str:
        """One line of JSON: where everything is and how to sign in."""
        account = self.world.iloq.account
        ready = {
            "ready": True,
            "iloq": f"{self.vendor_url}/iloqws",
            "control": self.control_url,
            "lock_group_id": str(account.lock_group_id),
            "customer_code": account.customer_code,
            "user_name": account.user_name,
            "password": account.password,
            "cliq": self.vendor_url,  # before /cliq-sim/v1
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
