"""The permit office of a site: issues and suspends permits and tells the product by webhook."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from key2xs.core.clock import SystemClock
from key2xs_twin.clients.permits import Member, Permit
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import Pending, WebhookSender, make_secret
from tests.support.tiny import AREA, UNIT, asset_of

WEBHOOK_SECRET = make_secret(b"smoke-suite-webhook-key!")
ISSUER = "u00411"


class Permits:
    """The permit system; all methods wait in real time."""

    def __init__(self, url: str, run: Callable[[Any], Any]) -> None:
        """Send to the product at `url`; `run` runs a coroutine."""
        self._url, self._run = f"{url}/webhooks/ptw/eptw", run
        self.system = PermitSystem(WebhookSender(self._url, [WEBHOOK_SECRET]))

    def issue(self, *markings: str, ref: str) -> Permit:
        """Have a permit issued for some cylinders with one person signed on."""
        now = SystemClock().now()
        permit = self.system.create(
            type_="cold_work",
            area=AREA,
            unit=UNIT,
            assets=[asset_of(marking) for marking in markings],
            valid_from=now - timedelta(minutes=5),
            valid_to=now + timedelta(hours=4),
            at=now,
            people=[Member(ref=ref, role="performing_authority", company="v017")],
        )
        self.system.approve(permit.id, by=ISSUER, at=now, role="issuing_authority")
        self.system.go_live(permit.id, by=ISSUER, at=now)
        self.system.sign_on(permit.id, ref, at=now)
        self.send()
        return permit

    def suspend(self, permit: Permit) -> None:
        """Have a permit suspended."""
        self.system.suspend(permit.id, code="shift_end", at=SystemClock().now())
        self.send()

    def send(self) -> None:
        """Have the permit system send what is due; everything must be taken."""
        sent = self._run(self.flush())
        assert {delivery.status for delivery in sent} <= {202, 204}, sent

    async def flush(self) -> Any:
        """Send what is due; what became of each."""
        # A connection belongs to the loop's run; each flush makes its own.
        sender = WebhookSender(self._url, [WEBHOOK_SECRET])
        sender.queue, self.system.sender.queue = self.system.sender.queue, []
        try:
            return await sender.flush(at=SystemClock().now())
        finally:
            self.system.sender.queue += sender.queue
            await sender.aclose()

    def post_again(self) -> None:
        """Have the permit system try once more what nobody answered."""
        for pending in self.system.sender.queue:
            self.system.sender.queue[self.system.sender.queue.index(pending)] = Pending(
                pending.event, SystemClock().now()
            )
        self.send()
