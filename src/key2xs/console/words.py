"""The words on screen. What the program calls lease, target or bundle never reaches an operator's page.

Every status has a word, a shape and a tone: colour alone says nothing to one man in twelve, nor in print.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from key2xs.keys.exposure_types import ExposureKind

Tone: TypeAlias = Literal["good", "info", "warn", "bad", "quiet"]
Shape: TypeAlias = Literal["disc", "ring", "half", "triangle", "square", "cross", "arrow", "clock", "check"]


@dataclass(frozen=True, slots=True)
class Status:
    """One status as it is shown. `hint` explains it in a sentence."""

    word: str
    tone: Tone
    shape: Shape
    hint: str = ""


_UNKNOWN_STATE: Final = Status("state not known", "bad", "cross", "Nothing is given on what is not known.")

EDITED: Final = Status(
    "changed in the maker's own tool",
    "bad",
    "triangle",
    "What it opens may differ from what was given here. Ask whoever uses that tool why; what is done about it stands on Edits made elsewhere.",
)

PERMIT_STATES: Final[Mapping[str, Status]] = {
    "draft": Status("draft", "quiet", "ring"),
    "requested": Status("requested", "quiet", "ring"),
    "submitted": Status("submitted", "quiet", "ring"),
    "under_review": Status("under review", "quiet", "ring"),
    "approved": Status("approved, not yet issued", "info", "half"),
    "isolating": Status("being isolated", "info", "half"),
    "isolated": Status("isolated", "info", "half"),
    "live": Status("in force", "good", "disc"),
    "suspended": Status("suspended", "warn", "square", "No new key; keys that are out are being ended."),
    "test": Status("sanction to test", "info", "half"),
    "handed_back": Status("handed back", "quiet", "square"),
    "deisolating": Status("being de-isolated", "info", "half"),
    "deisolated": Status("de-isolated", "quiet", "square"),
    "closed": Status("closed", "quiet", "check"),
    "cancelled": Status("cancelled", "warn", "cross", "A cancelled permit never comes back; it is reissued."),
    "rejected": Status("rejected", "quiet", "cross"),
    "expired": Status("expired", "warn", "clock"),
    "unknown": _UNKNOWN_STATE,
}

CAUSES: Final[Mapping[str, str]] = {
    "event": "",
    "clock": "its time ran out",
    "area_stop": "everything in its area was stopped",
    "gas_unsafe": "a gas test failed",
    "attendant_lost": "the attendant left",
    "illegal_move": "the permit system made a move that is not allowed",
    "unreadable": "its newest message could not be understood",
    "contradiction": "the permit system's message contradicts itself",
    "time_runs_back": "the permit system's clock ran back",
    "revision_runs_back": "an older revision arrived after a newer one",
    "not_signed": "revalidated without a new signature",
    "window_passed": "in force again after its time, without revalidation",
}

STEP_STATES: Final[Mapping[str, Status]] = {
    "waiting": Status("waiting", "quiet", "ring"),
    "authorised": Status("authorised", "good", "disc"),
    "started": Status("started", "good", "disc"),
    "paused": Status("paused", "warn", "square"),
    "done": Status("done", "quiet", "check"),
    "cancelled": Status("cancelled", "quiet", "cross"),
    "unknown": _UNKNOWN_STATE,
}

GRANT_STATES: Final[Mapping[str, Status]] = {
    "scheduled": Status("starts later", "info", "clock"),
    "active": Status("allowed", "good", "disc"),
    "held": Status("held by a safety rule", "warn", "half"),
    "ended": Status("ended", "quiet", "square"),
}

ENDINGS: Final[Mapping[str, str]] = {
    "basis_lost": "its reason is gone",
    "denied": "no longer allowed",
    "emptied": "no lock is left in it",
    "killed": "stopped by a person",
    "lapsed": "its time ran out",
    "renewed": "replaced by a newer one",
    "revoked": "taken back as part of a set",
}

HOLD_RULES: Final[Mapping[str, str]] = {
    "S3": "until all personal locks are off the lock box",
    "S4": "until somebody else is on shift, a second person agrees, or the shift ends",
    "S5": "until the shift leader was told",
}

SAFETY_RULES: Final[Mapping[str, str]] = {
    "S1": "Emergency and fire-brigade keys are never blocked and never part of an act on many.",
    "S2": "Where a lock may bar a way out, or nobody knows, you are asked who is inside before access ends.",
    "S3": "A lock box stays open to its people until all personal locks are off. The isolating authority of a suspended permit keeps its keys.",
    "S4": "The last one on shift who can reach isolation or emergency locks is not removed by one person or by a machine.",
    "S5": "Before somebody at work is stopped you are told, for two minutes at most; then it proceeds.",
    "S6": "A missed check-in alarms and takes nothing away. A confined space that nobody attends counts as suspended.",
}

BASES: Final[Mapping[str, str]] = {
    "permit_step": "permit",
    "duty_role": "duty",
    "approved_request": "approved request",
    "emergency": "emergency, two people",
    "standing": "standing right from before Key2XS",
}

EVENT_CLASSES: Final[Mapping[str, Status]] = {
    "expected": Status("expected", "good", "check"),
    "refused": Status("refused by the lock", "quiet", "square"),
    "after_end": Status("after its end", "warn", "clock", "The key could not be told in time."),
    "legacy": Status(
        "right from before Key2XS", "info", "ring", "On a key not adopted, or kept on one that is."
    ),
    "undated": Status("time not known", "warn", "half", "The lock had no clock, or it had stopped."),
    "unexplained": Status("unexplained", "bad", "triangle", "No permit, duty or request explains it."),
    "other": Status("other", "quiet", "ring"),
}

EXPOSURES: Final[Mapping[str, Status]] = {
    ExposureKind.STILL_ALLOWED: Status("allowed", "good", "disc"),
    ExposureKind.BOUND: Status(
        "can still open", "warn", "clock", "It was ended, and stops by this time at the latest."
    ),
    ExposureKind.NO_BOUND: Status(
        "no bound",
        "bad",
        "triangle",
        "Nothing ends this by itself. Collect the key, or have the lock re-keyed.",
    ),
    ExposureKind.PROVEN_END: Status(
        "cannot open", "quiet", "check", "The key acknowledged that it no longer can."
    ),
}

FRESHNESS: Final[Mapping[str, Status]] = {
    "yes": Status("heard", "good", "disc"),
    "no": Status(
        "silent", "bad", "triangle", "Nothing new is given while it is silent; what runs ends by itself."
    ),
    "unknown": Status("never heard", "warn", "ring"),
}

PERMIT_ROLES: Final[Mapping[str, str]] = {
    "performing_authority": "performing authority",
    "isolating_authority": "isolating authority",
    "isolation_verifier": "isolation verifier",
    "area_authority": "area authority",
    "issuing_authority": "issuing authority",
}

VENDORS: Final[Mapping[str, str]] = {"iloq": "iLOQ", "cliq": "CLIQ"}

KEY_KINDS: Final[Mapping[str, str]] = {
    "phone": "phone key",
    "fob": "fob",
    "metal": "metal key",
    "tag": "tag",
    "dynamic": "key with its own list",
    "normal": "key listed in cylinders",
    "unknown": "key",
}

POINT_KINDS: Final[Mapping[str, str]] = {
    "valve_lock": "valve lock",
    "lock_box": "lock box",
    "tank_dip": "tank dip hatch",
}

SAFETY_ROLES: Final[Mapping[str, str]] = {
    "isolation": "isolation point",
    "emergency": "emergency equipment",
    "lock_box": "lock box",
    "egress": "way out",
    "unknown": "safety role not known",
}

ZONE_MODES: Final[Mapping[str, Status]] = {
    "observe": Status(
        "observe", "info", "ring", "Key2XS only watches here: it writes nothing to keys or locks."
    ),
    "advise": Status("advise", "info", "half", "Key2XS says what it would write here, and writes nothing."),
    "enforce": Status("enforce", "good", "disc", "Key2XS writes keys for this zone."),
}

CANNOT_CARRY: Final[Mapping[str, str]] = {
    "carries_standing": "the key keeps rights from before that it would cut short; hand out another key",
    "zone_not_enforced": "the security zone is not set to enforce, so nothing is written for it",
    "no_lock_known": "the key system knows no such lock",
    "no_right_inside": "every right that opens it would open other locks too",
    "window_below_grid": "the time is shorter than the key system can store",
    "no_slot": "the key has no room for another time limit",
    "on_another_key": "not all fits on one key: another key of the same holder carries it",
    "too_many_rights": "the key has no room for more rights",
    "no_key": "there is no key that could be given it",
    "key_not_writable": "Key2XS does not write keys of this kind",
    "reported": "this key is reported lost or broken; nothing new goes onto it",
    "emergency_key": "this is an emergency key; only access for emergencies is written to it",
}

PROPOSALS: Final[Mapping[str, str]] = {
    "act": "Do something that takes two people",
    "authority_matrix": "Change who may do what",
    "drift_policy": "Leave or hold edits made elsewhere",
    "history": "Open a person's history",
    "mass_action": "End access for many",
    "mass_lift": "Allow new access again",
    "mass_revoke": "End all access of a company",
    "paper_permit": "Permit on paper",
    "release_hold": "End what a safety rule holds",
    "remove_last_holder": "Remove the last holder on shift",
    "source_down": "Count a permit system as down",
    "zone_mode": "Switch a security zone",
    "adopt_keys": "Adopt keys",
    "bundle_activation": "Put new rules in force",
}

CONFIRMED_BY: Final[Mapping[str, str]] = {
    "act": "whoever may do it himself confirms",
    "authority_matrix": "security managers and the CISO confirm",
    "drift_policy": "security managers confirm",
    "history": "whoever may open histories confirms",
    "mass_action": "shift leaders and security managers confirm",
    "mass_lift": "shift leaders and security managers confirm",
    "mass_revoke": "shift leaders and security managers confirm",
    "paper_permit": "shift leaders and permit issuers confirm",
    "release_hold": "shift leaders and security managers confirm",
    "remove_last_holder": "shift leaders and security managers confirm",
    "source_down": "shift leaders and permit issuers confirm",
    "zone_mode": "security managers confirm",
    "adopt_keys": "security managers confirm",
    "bundle_activation": "security managers confirm",
}

ROLES: Final[Mapping[str, str]] = {
    "administrator": "administrator",
    "auditor": "auditor",
    "ciso": "CISO",
    "contractor_coordinator": "contractor coordinator",
    "hse": "HSE",
    "key_desk": "key desk",
    "permit_issuer": "permit issuer",
    "security_manager": "security manager",
    "shift_leader": "shift leader",
    "soc": "security operations",
    "worker": "worker",
}


def status_of(table: Mapping[str, Status], value: str) -> Status:
    """Return how a value is shown; one this version does not know is shown as it is, and never as good."""
    return table.get(value) or Status(plain(value), "warn", "ring")


def progress(value: str, vendor: str) -> Status:
    """Return the word for how far a key's program is. `vendor` is the key system's make."""
    make = VENDORS.get(vendor, vendor)
    words = {
        "requested": Status("asked", "info", "ring", f"Not accepted by {make} yet."),
        "accepted": Status(f"accepted by {make}", "info", "half", "Waiting until the key makes contact."),
        "in_transit": Status(
            "on its way", "info", "arrow", "The key took it and has not acknowledged it yet."
        ),
        "delivered": Status("in the key", "good", "check", "The key acknowledged it."),
        "lapsed": Status("run out", "quiet", "clock"),
        "blocked_with_access": Status(
            "blocked with access", "bad", "triangle", "Cylinders that nobody visited yet still open to it."
        ),
        "failed": Status("needs a person", "bad", "triangle"),
    }
    return status_of(words, value)


def plain(value: str) -> str:
    """Turn a code into words."""
    return value.replace("_", " ")


def named(table: Mapping[str, str], value: str) -> str:
    """Return a word from a table, or the code in words."""
    return table.get(value, plain(value))
