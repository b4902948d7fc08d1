"""What can be done with a key now, beside hand-out and return, and why the rest cannot: pure but for one look."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from key2xs.api.handing_back import why_not_handed_back
from key2xs.core.database import Connection
from key2xs.keys.adoption.adopting import why_not_now
from key2xs.keys.block_visits import BlockVisits
from key2xs.keys.desk.mishaps import open_report, was_replaced
from key2xs.keys.port import KeyKind
from key2xs.keys.types import StoredKey
from key2xs.services import Services

WORDS: Final = (
    "transfer",
    "due",
    "lost",
    "found",
    "broken",
    "repaired",
    "replace",
    "unblock",
    "adopt",
    "hand-back",
)


@dataclass(frozen=True, slots=True)
class KeyState:
    """What decides which care a key takes."""

    is_out: bool = False
    reported: str | None = None
    """*lost* or *broken*, while the report stands."""
    replaced: bool = False
    blocked: bool = False
    unblocking: bool = False
    phone: bool = False
    deleted: bool = False
    not_adopted_because: str = "it is adopted already"
    not_handed_back_because: str = "its maker takes back only phone keys and RFID tags over the interface"


@dataclass(frozen=True, slots=True)
class Cares:
    """Each care by its word: empty where it applies, else why not."""

    why_not: dict[str, str]
    unblocking: str = ""
    """How far coming off the block list is, for a key that comes off it."""

    @property
    def now(self) -> tuple[str, ...]:
        """What applies."""
        return tuple(word for word in WORDS if not self.why_not[word])

    @property
    def not_now(self) -> tuple[tuple[str, str], ...]:
        """What does not, and why."""
        return tuple((word, self.why_not[word]) for word in WORDS if self.why_not[word])


async def read_cares(tx: Connection, services: Services, key: StoredKey, at: datetime) -> Cares:
    """Look what applies to a key."""
    report = await open_report(tx, key.id, services.ledger)
    state = KeyState(
        is_out=await services.custody.holder_at(tx, key.id, at) is not None,
        reported=report.kind if report else None,
        replaced=report is None and await was_replaced(tx, key.id),
        blocked=key.blocked_at is not None,
        unblocking=key.unblock_asked_at is not None,
        phone=key.kind is KeyKind.PHONE,
        deleted=key.deleted,
        not_adopted_because=await why_not_now(tx, key.id),
        not_handed_back_because=await why_not_handed_back(tx, services, key, at),
    )
    progress = await _progress(tx, services, key) if state.unblocking else ""
    return Cares(why_not_of(state), progress)


def why_not_of(state: KeyState) -> dict[str, str]:
    """Return why each care does not apply to a key; empty where it does."""
    gone = (
        "it was replaced by another key"
        if state.replaced
        else "it is no longer in use"
        if state.deleted
        else ""
    )
    reported = f"it is reported {state.reported} already" if state.reported else ""
    not_out = "" if state.is_out else "nobody has it"
    return {
        "transfer": gone
        or not_out
        or ("it is a phone, which stays with its owner" if state.phone else "")
        or (f"it is reported {state.reported}" if state.reported else "")
        or ("it is blocked" if state.blocked else ""),
        "due": gone or not_out or (f"it is reported {state.reported}" if state.reported else ""),
        "lost": gone or reported,
        "found": gone or ("" if state.reported == "lost" else "it is not reported lost"),
        "broken": gone or reported,
        "repaired": gone or ("" if state.reported == "broken" else "it is not reported broken"),
        "replace": gone or ("" if state.reported else "report it lost or broken first"),
        "adopt": gone or state.not_adopted_because,
        "unblock": gone or _why_not_unblocked(state),
        "hand-back": gone or state.not_handed_back_because,
    }


def _why_not_unblocked(state: KeyState) -> str:
    if not state.blocked:
        return "it is not blocked"
    if state.unblocking:
        return "it is coming off the block list already"
    if state.reported:
        return f"it is reported {state.reported}; say first that it was {_ENDS[state.reported]}"
    return "it is in somebody's hands; take it back first" if state.is_out else ""


_ENDS: Final = {"lost": "found", "broken": "repaired"}


async def _progress(tx: Connection, services: Services, key: StoredKey) -> str:
    """Say in a sentence what coming off the block list waits for."""
    visits = await BlockVisits(services.ledger).of_key(tx, key.id, "unblock")
    left = sum(visit.state != "done" for visit in visits)
    if left:
        cylinders = "1 cylinder holds" if left == 1 else f"{left} cylinders hold"
        return f"{cylinders} the block until a programming key has been there and back"
    return "it is emptied first; bring it to an updater, or to a lock with network"
