"""The default rules, row by row. Numbers are rows of the table of permit states in docs/reference/policy.md."""

from datetime import timedelta
from typing import Any

import pytest

from key2xs.policy import Facts, FactWindow, Qualification, ReasonCode, decide, shipped_bundle
from tests.conftest import START
from tests.policy.factories import (
    AHEAD,
    ENDED,
    NO_WINDOW,
    SHIFT,
    UNKNOWN_WINDOW,
    UNSAFE,
    YEAR,
    authority,
    emergency,
    on_duty,
    request,
    seen,
    standing,
    worker,
)

R = ReasonCode
ALLOW = None
SIX = START + timedelta(hours=1)  # 18:00, the start of the shift; the decisions are made at 21:00
HALF_PAST_EIGHT = START + timedelta(hours=3, minutes=30)

# (what is so, the facts, the code that denies it or ALLOW)
ROWS: list[tuple[str, Facts, ReasonCode | None]] = [
    # A worker under a permit: everything holds (row 5), then each condition lost alone (6.1: losing one removes it).
    ("signed on, live, step started", worker(), ALLOW),
    ("step authorised is enough", worker(step_state="authorised"), ALLOW),
    ("a permit without steps", worker(step_state="none"), ALLOW),
    ("the most critical cylinder, with a permit", worker(criticality=4), ALLOW),
    ("an isolation point inside the step", worker(safety_role="isolation"), ALLOW),
    ("no way out known to be free: shown, not denied (S2)", worker(egress_free="unknown"), ALLOW),
    ("left IAM (row 15)", worker(active="no"), R.IDENTITY_NOT_ACTIVE),
    ("IAM does not say", worker(active="unknown"), R.IDENTITY_UNKNOWN),
    ("contract ended (row 15)", worker(contract=ENDED), R.CONTRACT_NOT_IN_FORCE),
    ("contract begins tomorrow", worker(contract=AHEAD), R.CONTRACT_NOT_IN_FORCE),
    ("no contract at all", worker(contract=NO_WINDOW), R.CONTRACT_NOT_IN_FORCE),
    ("contract not known", worker(contract=UNKNOWN_WINDOW), R.CONTRACT_UNKNOWN),
    ("groups could not be read", worker(roles=None), R.ROLES_UNKNOWN),
    ("key blocked", worker(blocked="yes"), R.KEY_BLOCKED),
    ("block list not read", worker(blocked="unknown"), R.KEY_UNKNOWN),
    ("cylinder in no zone", worker(criticality=None), R.CYLINDER_UNKNOWN),
    ("criticality off the scale", worker(criticality=5), R.CYLINDER_UNKNOWN),
    ("safety role not known", worker(safety_role="unknown"), R.CYLINDER_UNKNOWN),
    ("isolating and performing in one hand", worker(sod_conflicts=frozenset({"isolating_performing"})), R.DUTIES_NOT_SEPARATE),
    ("duties could not be worked out", worker(sod_conflicts=None), R.SEPARATION_UNKNOWN),
    ("performs and issued it", worker(approvers=frozenset({"person-1"})), R.HOLDER_APPROVED),
    ("applied for and issued it", worker(requester="person-8"), R.REQUESTER_APPROVED),
    ("site instruction never taken", worker(gone="SITE_INDUCTION"), R.QUALIFICATION_MISSING),
    ("site instruction run out", worker(qualifications=(Qualification("SITE_INDUCTION", ENDED),)), R.QUALIFICATION_MISSING),
    ("site instruction not known", worker(qualifications=(Qualification("SITE_INDUCTION", UNKNOWN_WINDOW),)), R.QUALIFICATION_UNKNOWN),
    ("the class asks for rescue training", worker(required_qualifications=frozenset({"RESCUE"})), R.QUALIFICATION_MISSING),
    ("criticality 2 asks for nothing", worker(criticality=2, qualifications=()), ALLOW),
    ("signed off (row 15)", worker(signed_on="no"), R.NOT_SIGNED_ON),
    ("sign-on not known", worker(signed_on="unknown"), R.SIGN_ON_UNKNOWN),
    ("permit valid_to passed, state still live (row 20)", worker(window=ENDED), R.WINDOW_NOT_OPEN),
    ("permit not yet valid", worker(window=AHEAD), R.WINDOW_NOT_OPEN),
    ("validity not known", worker(window=UNKNOWN_WINDOW), R.WINDOW_UNKNOWN),
    ("step waiting (row 6)", worker(step_state="waiting"), R.STEP_NOT_AUTHORISED),
    ("step paused (row 8)", worker(step_state="paused"), R.STEP_NOT_AUTHORISED),
    ("step done (row 6)", worker(step_state="done"), R.STEP_NOT_AUTHORISED),
    ("step cancelled (row 14)", worker(step_state="cancelled"), R.STEP_NOT_AUTHORISED),
    ("step not known", worker(step_state="unknown"), R.STEP_UNKNOWN),
    # Permit states for a worker.
    ("draft (row 1)", worker(permit_state="draft"), R.PERMIT_NOT_LIVE),
    ("submitted (row 1)", worker(permit_state="submitted"), R.PERMIT_NOT_LIVE),
    ("approved (row 2): keys assigned, no rights", worker(permit_state="approved"), R.PERMIT_NOT_LIVE),
    ("isolating (row 3)", worker(permit_state="isolating"), R.PERMIT_NOT_LIVE),
    ("isolated (row 4)", worker(permit_state="isolated"), R.PERMIT_NOT_LIVE),
    ("suspended (row 9)", worker(permit_state="suspended"), R.PERMIT_NOT_LIVE),
    ("sanction to test (row 13): workers out", worker(permit_state="test"), R.PERMIT_NOT_LIVE),
    ("handed back (row 16)", worker(permit_state="handed_back"), R.PERMIT_NOT_LIVE),
    ("deisolating (row 17)", worker(permit_state="deisolating"), R.PERMIT_NOT_LIVE),
    ("closed (row 18)", worker(permit_state="closed"), R.PERMIT_NOT_LIVE),
    ("cancelled (row 19)", worker(permit_state="cancelled"), R.PERMIT_NOT_LIVE),
    ("rejected (row 19)", worker(permit_state="rejected"), R.PERMIT_NOT_LIVE),
    ("expired (row 20)", worker(permit_state="expired"), R.PERMIT_NOT_LIVE),
    ("unknown native state (row 23)", worker(permit_state="unknown"), R.PERMIT_UNKNOWN),
    ("no permit behind the step", worker(permit_state="none"), R.PERMIT_NOT_LIVE),
    ("a type the site does not know", worker(permit_type="juggling"), R.PERMIT_UNKNOWN),
    ("such a type, isolated and gas tested", worker(permit_type="juggling", isolation_ok="yes", gas=SHIFT), R.PERMIT_UNKNOWN),
    # Isolation and gas, where needed.
    ("isolation needed and proven", worker(needs_isolation="yes", isolation_ok="yes"), ALLOW),
    ("isolation needed, not proven", worker(needs_isolation="yes"), R.ISOLATION_NOT_PROVEN),
    ("isolation needed, not known", worker(needs_isolation="yes", isolation_ok="unknown"), R.ISOLATION_UNKNOWN),
    ("need for isolation not known, not proven", worker(needs_isolation="unknown"), R.ISOLATION_NOT_PROVEN),
    ("need for isolation not known, but proven", worker(needs_isolation="unknown", isolation_ok="yes"), ALLOW),
    ("line break always needs isolation", worker(permit_type="line_break", gas=SHIFT), R.ISOLATION_NOT_PROVEN),
    ("hot work with a valid gas test", worker(permit_type="hot_work", gas=SHIFT), ALLOW),
    ("hot work without a gas test", worker(permit_type="hot_work"), R.GAS_TEST_MISSING),
    ("gas test past valid_to (row 11)", worker(permit_type="hot_work", gas=ENDED), R.GAS_TEST_MISSING),
    ("gas test unsafe (row 11)", worker(permit_type="hot_work", gas=UNSAFE), R.GAS_TEST_MISSING),
    ("gas test not known", worker(permit_type="hot_work", gas=UNKNOWN_WINDOW), R.GAS_UNKNOWN),
    ("the permit itself asks for gas", worker(needs_gas="yes"), R.GAS_TEST_MISSING),
    ("need for gas not known", worker(needs_gas="unknown"), R.GAS_TEST_MISSING),
    ("electrical work asks for switching", worker(permit_type="electrical", isolation_ok="yes"), R.QUALIFICATION_MISSING),
    # Authorities on the permit.
    ("isolating authority makes the isolation (row 3)", authority("isolating_authority", "isolating"), ALLOW),
    ("its lock box too (row 3)", authority("isolating_authority", "isolating", safety_role="lock_box"), ALLOW),
    ("but no other cylinder (row 3)", authority("isolating_authority", "isolating", safety_role="none"), R.PERMIT_NOT_LIVE),
    ("its keys end when isolated (row 4)", authority("isolating_authority", "isolated"), R.PERMIT_NOT_LIVE),
    ("it keeps the points while live", authority("isolating_authority", "live"), ALLOW),
    ("it keeps them when suspended (row 9)", authority("isolating_authority", "suspended"), ALLOW),
    ("also after the validation ended (row 9)", authority("isolating_authority", "suspended", window=ENDED), ALLOW),
    ("not when that is not known", authority("isolating_authority", "suspended", window=UNKNOWN_WINDOW), R.WINDOW_UNKNOWN),
    ("not past the window in any other state", authority("isolating_authority", "live", window=ENDED), R.WINDOW_NOT_OPEN),
    ("it takes the isolation off (row 17)", authority("isolating_authority", "deisolating"), ALLOW),
    ("nothing once closed (row 18)", authority("isolating_authority", "closed"), R.PERMIT_NOT_LIVE),
    ("electrical isolating authority", authority("isolating_authority_electrical", "isolating"), ALLOW),
    ("verifier opens when isolated (row 4)", authority("isolation_verifier", "isolated"), ALLOW),
    ("verifier not while isolating", authority("isolation_verifier", "isolating"), R.PERMIT_NOT_LIVE),
    ("verifier not suspended", authority("isolation_verifier", "suspended"), R.PERMIT_NOT_LIVE),
    ("area authority keeps when suspended (row 9)", authority("area_authority", "suspended", safety_role="none"), ALLOW),
    ("also after the validation ended", authority("area_authority", "suspended", window=ENDED), ALLOW),
    ("may inspect after hand-back (row 16)", authority("area_authority", "handed_back"), ALLOW),
    ("signed it as part of the job", authority("area_authority", "live", approvers=frozenset({"person-1"})), ALLOW),
    ("not while deisolating (row 17)", authority("area_authority", "deisolating"), R.PERMIT_NOT_LIVE),
    ("not once closed (row 18)", authority("area_authority", "closed"), R.PERMIT_NOT_LIVE),
    ("blocked key keeps nothing", authority("isolating_authority", "suspended", blocked="yes"), R.KEY_BLOCKED),
    ("test team during a test (row 13)", authority("test_team", "test", signed_on="yes"), ALLOW),
    ("test team not signed on", authority("test_team", "test"), R.NOT_SIGNED_ON),
    ("test team past its time", authority("test_team", "test", signed_on="yes", window=ENDED), R.WINDOW_NOT_OPEN),
    ("test team in hot work without gas test", authority("test_team", "test", signed_on="yes", permit_type="hot_work"), R.GAS_TEST_MISSING),
    ("test team outside a test", authority("test_team", "live", signed_on="yes"), R.PERMIT_NOT_LIVE),
    ("an issuing authority is a worker to the locks", authority("issuing_authority", "suspended"), R.PERMIT_NOT_LIVE),
    # Duty roles.
    ("on shift for the unit", on_duty(), ALLOW),
    ("on shift, the most critical", on_duty(criticality=4), ALLOW),
    ("shift is over", on_duty(window=ENDED), R.WINDOW_NOT_OPEN),
    ("shift begins later", on_duty(window=AHEAD), R.WINDOW_NOT_OPEN),
    ("roster not known", on_duty(window=UNKNOWN_WINDOW), R.WINDOW_UNKNOWN),
    ("another unit", on_duty(unit_match="no"), R.UNIT_NOT_COVERED),
    ("unit not known", on_duty(unit_match="unknown"), R.UNIT_UNKNOWN),
    ("site instruction missing on duty", on_duty(gone="SITE_INDUCTION"), R.QUALIFICATION_MISSING),
    ("an emergency cylinder on duty", on_duty(safety_role="emergency"), ALLOW),
    ("lock box by a field operator", on_duty(safety_role="lock_box"), R.SITE_POLICY),
    ("lock box by the shift leader", on_duty(safety_role="lock_box", holder_role="shift_leader"), ALLOW),
    # Approved requests.
    ("approved, criticality 2", request(), ALLOW),
    ("approved, criticality 1", request(criticality=1), ALLOW),
    ("approved, criticality 3", request(criticality=3), R.BASIS_TOO_WEAK),
    ("approved, criticality 4", request(criticality=4), R.BASIS_TOO_WEAK),
    ("nobody approved", request(approvers=frozenset()), R.APPROVAL_MISSING),
    ("approved by the requester", request(approvers=frozenset({"person-1"})), R.REQUESTER_APPROVED),
    ("asked for a colleague and approved it", request(requester="person-8"), R.REQUESTER_APPROVED),
    ("approved by the holder, asked by another", request(requester="person-7", approvers=frozenset({"person-1"})), R.HOLDER_APPROVED),
    ("nobody knows who asked", request(requester=None), R.REQUESTER_UNKNOWN),
    ("the requested time is over", request(window=ENDED), R.WINDOW_NOT_OPEN),
    # An emergency by two people (row 25).
    ("two people, one point, one hour, no qualification", emergency(), ALLOW),
    ("one approver", emergency(approvers=frozenset({"person-8"})), R.SECOND_APPROVER_MISSING),
    ("the holder is one of the two", emergency(approvers=frozenset({"person-1", "person-8"}), requester="person-7"), R.HOLDER_APPROVED),
    ("the requester is one of the two", emergency(requester="person-8"), R.REQUESTER_APPROVED),
    ("two access points", emergency(access_points=2), R.EMERGENCY_TOO_WIDE),
    ("points not known", emergency(access_points=0), R.EMERGENCY_TOO_WIDE),
    ("61 minutes", emergency(window=FactWindow(HALF_PAST_EIGHT, HALF_PAST_EIGHT + timedelta(minutes=61))), R.EMERGENCY_TOO_LONG),
    ("without an end", emergency(window=FactWindow(SIX, None)), R.EMERGENCY_TOO_LONG),
    ("its hour is over", emergency(window=FactWindow(SIX, SIX + timedelta(hours=1))), R.WINDOW_NOT_OPEN),
    ("a leaver", emergency(active="no"), R.IDENTITY_NOT_ACTIVE),
    ("contract ended", emergency(contract=ENDED), R.CONTRACT_NOT_IN_FORCE),
    ("a blocked key", emergency(blocked="yes"), R.KEY_BLOCKED),
    ("cylinder in no zone", emergency(criticality=None), R.CYLINDER_UNKNOWN),
    # Standing rights.
    ("a standing right is shown, not granted", standing(), R.STANDING_NOT_GRANTED),
    ("not at a critical cylinder either", standing(criticality=4, contract=YEAR), R.STANDING_NOT_GRANTED),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "code"), [pytest.param(f, c, id=t) for t, f, c in ROWS])
def test_the_default_rules_say(facts: Facts, code: ReasonCode | None) -> None:
    decision = decide(seen(facts), shipped_bundle())
    found: dict[str, Any] = {reason.code: reason.policy_id for reason in decision.reasons}
    if code is ALLOW:
        assert decision.verdict == "allow", found
        assert set(found) == {R.ALLOWED}
    else:
        assert decision.verdict == "deny"
        assert code in found
        assert found[code], "a denial names its policy"


def test_the_table_is_not_thinned_out() -> None:
    assert len(ROWS) >= 60
