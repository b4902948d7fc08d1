"""Who can make which smallest change, in the words of the plant."""

from collections.abc import Mapping
from typing import Final

_OFFICE: Final = "the permit office, in the permit system"
_SELF: Final = "the person, at the permit board"
_LEADER: Final = "the shift leader or the permit issuer"
_COMPANY: Final = "the contractor's coordinator"
_PEOPLE: Final = "whoever runs the IAM"
_SECURITY: Final = "the security manager, with a second person"

DONE_BY: Final[Mapping[str, str]] = {
    "approval_missing": _LEADER,
    "basis_too_weak": _OFFICE,
    "contract_not_in_force": _COMPANY,
    "contract_unknown": _COMPANY,
    "cylinder_unknown": "whoever keeps the plant register",
    "duties_not_separate": _LEADER,
    "gas_test_missing": "the gas tester",
    "gas_unknown": "the gas tester",
    "holder_approved": "another approver",
    "identity_not_active": _PEOPLE,
    "identity_unknown": _PEOPLE,
    "isolation_not_proven": "the isolating authority",
    "isolation_unknown": "the isolating authority",
    "key_blocked": "the key desk",
    "key_unknown": "the key desk",
    "no_site_policy": _SECURITY,
    "not_signed_on": _SELF,
    "permit_not_live": _OFFICE,
    "permit_unknown": _OFFICE,
    "qualification_missing": _COMPANY,
    "qualification_unknown": _COMPANY,
    "requester_approved": "another approver",
    "roles_unknown": _PEOPLE,
    "second_approver_missing": _LEADER,
    "sign_on_unknown": _SELF,
    "site_policy": _SECURITY,
    "standing_not_granted": _SECURITY,
    "step_not_authorised": _OFFICE,
    "step_unknown": _OFFICE,
    "unit_not_covered": "the shift leader",
    "window_not_open": _OFFICE,
    "window_unknown": _OFFICE,
}


def named_who(who: str | None) -> str:
    """Return who can do it; where no rule of ours says, the one who can find out."""
    return who or "the shift leader"
