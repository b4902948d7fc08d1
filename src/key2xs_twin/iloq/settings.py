"""How the simulated vendor server behaves where a site or a version may differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(slots=True, kw_only=True)
class IloqSettings:
    """Mutable on purpose: tests and the demo change the vendor's behaviour while it runs."""

    version: str = "7.5"
    session_lifetime: timedelta | None = None  # ASSUMPTION: unlimited; the vendor states none
    get_url: Literal["null", "empty", "redirect"] = "empty"
    redirect_base: str = ""  # what GetUrl answers with "redirect", e.g. https://host/iloqwspool2/
    bad_passwords_until_lockout: int = 5  # ASSUMPTION
    lockout_for: timedelta = timedelta(minutes=15)  # ASSUMPTION
    database_update_until: datetime | None = None  # CreateSession answers 4 until then
    password_expired: bool = False  # CreateSession answers 9
    rights_mask: int = (1 << 55) - 1  # the highest bit defined is 2^54: never pass it through a float
    # 2048 Public API, 4096 S50, 16384 API access rights allowed, 65536 5 Series. Zones are off: one block list.
    option_mask: int = 2048 | 4096 | 16384 | 65536
    slot_budget: int = 23  # at most; a lock with older firmware reads 10 (C5 < 138, D5 < 135)
    fob_order_allowed: bool = True  # the vendor's text says "phone and 5 Series"; fobs are unclear
    fob_change_needs_token: bool = False
    licence_exhausted: bool = False  # CanOrder answers 3
    blocklist_needs_token: bool = False  # CanOrderS40Blacklist answers 1
    max_blocked: int = 500  # iLOQ support: blocked keys a lock can hold
    cancels_packet_on_change: bool = False  # ASSUMPTION: a packet stays fetchable until the next order
    lock_flags_in_answer: bool = True  # ASSUMPTION: GET .../TimeLimitTitles shows LockRespectsAllTimeLimits
    log_rows_max: int = 2000  # POST LockLogs returns at most 2000 rows (Public API v2)
    hook_stamp_renewed: bool = (
        False  # ASSUMPTION: a retry keeps its CreationTimeUtc; the vendor's text leaves it open
    )
    hook_sign_key_of_caller: bool = (
        True  # ASSUMPTION: SignKey may be chosen on insert; else the vendor makes one
    )
    hook_timeout_seconds: float = 5.0  # Public API v2
    hooks_doubled: bool = False  # every payload is delivered twice, with one Counter
    hooks_reordered: bool = False  # what is due together goes out in any order
    log_visible_after: timedelta = timedelta(0)  # rows may show up later than their own arrival stamp
