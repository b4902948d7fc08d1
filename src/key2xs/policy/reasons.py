"""Why a decision came out as it did: stable codes and the plain sentence for each.

Codes are kept for ever: decisions on the log name them. Texts may be reworded, codes may only be added.
"""

from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    """One code for each condition that a guardrail, a site policy or the evaluation itself can fail."""

    # What could not be known or evaluated.
    UNKNOWN = "unknown"
    IDENTITY_UNKNOWN = "identity_unknown"
    CONTRACT_UNKNOWN = "contract_unknown"
    QUALIFICATION_UNKNOWN = "qualification_unknown"
    ROLES_UNKNOWN = "roles_unknown"
    CYLINDER_UNKNOWN = "cylinder_unknown"
    KEY_UNKNOWN = "key_unknown"
    SEPARATION_UNKNOWN = "separation_unknown"
    PERMIT_UNKNOWN = "permit_unknown"
    STEP_UNKNOWN = "step_unknown"
    SIGN_ON_UNKNOWN = "sign_on_unknown"
    ISOLATION_UNKNOWN = "isolation_unknown"
    GAS_UNKNOWN = "gas_unknown"
    WINDOW_UNKNOWN = "window_unknown"
    UNIT_UNKNOWN = "unit_unknown"
    REQUESTER_UNKNOWN = "requester_unknown"

    # What is known to be against it.
    IDENTITY_NOT_ACTIVE = "identity_not_active"
    CONTRACT_NOT_IN_FORCE = "contract_not_in_force"
    QUALIFICATION_MISSING = "qualification_missing"
    KEY_BLOCKED = "key_blocked"
    DUTIES_NOT_SEPARATE = "duties_not_separate"
    REQUESTER_APPROVED = "requester_approved"
    HOLDER_APPROVED = "holder_approved"
    APPROVAL_MISSING = "approval_missing"
    SECOND_APPROVER_MISSING = "second_approver_missing"
    BASIS_TOO_WEAK = "basis_too_weak"
    STANDING_NOT_GRANTED = "standing_not_granted"
    WINDOW_NOT_OPEN = "window_not_open"
    PERMIT_NOT_LIVE = "permit_not_live"
    STEP_NOT_AUTHORISED = "step_not_authorised"
    NOT_SIGNED_ON = "not_signed_on"
    ISOLATION_NOT_PROVEN = "isolation_not_proven"
    GAS_TEST_MISSING = "gas_test_missing"
    UNIT_NOT_COVERED = "unit_not_covered"
    EMERGENCY_TOO_WIDE = "emergency_too_wide"
    EMERGENCY_TOO_LONG = "emergency_too_long"
    SITE_POLICY = "site_policy"
    NO_SITE_POLICY = "no_site_policy"

    # Why it is allowed.
    ALLOWED = "allowed"

    @property
    def is_unknown(self) -> bool:
        """True when the code stands for something not known, not for something known to be against it."""
        return self in _UNKNOWN


_UNKNOWN: Final = frozenset(code for code in ReasonCode if code.value.endswith("unknown"))
