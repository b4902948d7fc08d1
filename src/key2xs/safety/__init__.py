"""Safety: the six rules that outrank every other, as code. Pure: small facts and an instant in, a verdict out.

No database, no clock, no network. `rules.py` is written to be read by whoever answers for safety on the site;
docs/explanation/safety.md says the same in prose. The rooms above fetch the facts and carry the verdicts out.
"""

from .rules import (
    asks_about_way_out,
    attendant_lost,
    check_in_missed,
    locks_on,
    may_be_blocked,
    spared_from_mass_actions,
    stays_for_personal_locks,
    stays_with_last_holder,
    told_before_kill,
    warns_before_lock,
)
from .types import (
    GO,
    Act,
    Box,
    Crew,
    Ending,
    Inside,
    Lockout,
    Outcome,
    Rule,
    Verdict,
    Word,
)

__all__ = [
    "GO",
    "Act",
    "Box",
    "Crew",
    "Ending",
    "Inside",
    "Lockout",
    "Outcome",
    "Rule",
    "Verdict",
    "Word",
    "asks_about_way_out",
    "attendant_lost",
    "check_in_missed",
    "locks_on",
    "may_be_blocked",
    "spared_from_mass_actions",
    "stays_for_personal_locks",
    "stays_with_last_holder",
    "told_before_kill",
    "warns_before_lock",
]
