"""The twin's control interface: time, acts, faults and the truth."""

from datetime import datetime
from typing import Any

import httpx2

JsonObject = dict[str, Any]


class TwinRefused(Exception):
    """The twin did not do what it was asked; the message says why."""


class Twin:
    """A client of one twin process."""

    def __init__(self, control: str) -> None:
        """Speak to the control address of the ready line."""
        self._http = httpx2.AsyncClient(base_url=control, timeout=60.0)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def advance(self, to: datetime) -> JsonObject:
        """Let time pass."""
        return await self._send("POST", "advance", json={"to": to.isoformat()})

    async def state(self) -> JsonObject:
        """Return where the world stands."""
        return await self._send("GET", "state", params={"digest": "false"})

    async def act(self, act: str, **values: Any) -> JsonObject:
        """Do something now."""
        return await self._send("POST", "act", json={"act": act, **values})

    async def present(self, key: str, lock: str) -> bool:
        """Hold a key to a lock; whether it opened."""
        return bool((await self.act("present", key=key, lock=lock))["worked"])

    async def fault(self, operation: str, effect: str, **values: Any) -> None:
        """Plan a fault of the vendor's server."""
        await self._send("POST", "faults", json=[{"operation": operation, "effect": effect, **values}])

    async def clear_faults(self) -> dict[str, int]:
        """End all faults; how often each fired."""
        fired: dict[str, int] = (await self._send("POST", "faults/clear"))["fired"]
        return fired

    async def latest_opening(self, key: str, lock: str, since: datetime) -> tuple[str, datetime | None]:
        """Return the truth: `end` with an instant, `never` or `no_end`, if nothing further reached the devices."""
        found = await self._send(
            "GET", "oracle", params={"key": key, "lock": lock, "from": since.isoformat()}
        )
        at = found["at"]
        return found["kind"], datetime.fromisoformat(at) if at else None

    async def who(self, lock: str) -> list[str]:
        """Return the stamps of all keys that would open a lock now, by device truth."""
        found = await self._send("GET", "who", params={"lock": lock})
        return sorted(each["stamp"] for each in found["keys"])

    async def openings(self) -> list[JsonObject]:
        """Return what truly happened at the locks."""
        found: list[JsonObject] = (await self._send("GET", "openings"))["openings"]
        return found

    async def _send(self, method: str, path: str, **values: Any) -> JsonObject:
        answer = await self._http.request(method, path, **values)
        if answer.is_error:
            raise TwinRefused(f"{method} {path}: {answer.status_code} {answer.text}")
        found: JsonObject = answer.json()
        return found
