"""The physical side of a site: the twin's process, asked and told over its control interface."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from .processes import LONGEST, Child, tiny_twin


@dataclass
class Twin:
    """Keys, locks and the vendor's server in a process of their own."""

    child: Child
    ready: dict[str, Any] = field(default_factory=dict)
    """What it said of itself when it was ready."""
    _client: httpx2.Client | None = None

    @classmethod
    def start(cls, folder: Path) -> "Twin":
        """Start it; `wait` for it before asking anything."""
        return cls(tiny_twin(folder))

    def wait(self) -> None:
        """Wait until it is ready."""
        self.ready = json.loads(self.child.line("{"))

    def close(self) -> None:
        """Ask nothing more."""
        if self._client is not None:
            self._client.close()

    def act(self, act: str, **values: Any) -> dict[str, Any]:
        """Do something at the site."""
        return self.control("act", {"act": act, **values})

    def control(self, path: str, body: Any) -> dict[str, Any]:
        """Ask the twin's control interface for something."""
        return self._controlled("POST", path, json=body)

    def look(self, path: str, **query: str) -> dict[str, Any]:
        """Look at the truth."""
        return self._controlled("GET", path, params=query)

    def _controlled(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        if self._client is None:
            self._client = httpx2.Client(base_url=self.ready["control"], timeout=LONGEST)
        answer = self._client.request(method, path, **values)
        assert not answer.is_error, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def opens(self, stamp: str, marking: str) -> bool:
        """Hold a key to a lock."""
        return bool(self.act("present", key=stamp, lock=marking)["worked"])

    def could_open(self, stamp: str, marking: str) -> bool:
        """Tell by device truth whether a key would open a lock now, without trying."""
        return bool(self.look("oracle", key=stamp, lock=marking)["now"])

    def fault(self, operation: str, effect: str, **values: Any) -> None:
        """Plan a fault of the vendor's server."""
        self.control("faults", [{"operation": operation, "effect": effect, **values}])

    def faults_fired(self) -> int:
        """How many calls the planned faults hit so far."""
        return sum(self.control("faults", [])["fired"].values())

    def clear_faults(self) -> dict[str, int]:
        """End all faults; how often each fired."""
        fired: dict[str, int] = self.control("faults/clear", None)["fired"]
        return fired

    def calls_open(self) -> int:
        """How many vendor calls are under way."""
        return int(self.look("state", digest="false")["open_calls"])
