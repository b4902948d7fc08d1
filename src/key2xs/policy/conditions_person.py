"""Conditions that hold for every basis: the person, the cylinder, the key, separate duties.

The same order and names as `guardrails/1_everyone.cedar`.
"""

from collections.abc import Iterator
from typing import Final

from .case import Case, Condition
from .reasons import ReasonCode as Code
from .types import Missing


def _identity(case: Case) -> Iterator[Missing]:
    active = case.view.person.active
    if active == "no":
        yield Missing(
            Code.IDENTITY_NOT_ACTIVE,
            "the identity is not active in IAM",
            "activate the person in IAM, if right",
        )
    elif active != "yes":
        yield Missing(
            Code.IDENTITY_UNKNOWN, "IAM does not say whether the identity is active", "restore the IAM feed"
        )


def _contract(case: Case) -> Iterator[Missing]:
    window = case.situation.person.contract
    if window.state == "unknown":
        yield Missing(
            Code.CONTRACT_UNKNOWN, "it is not known whether a contract is in force", "restore the IAM feed"
        )
    elif window.state != "open":
        change = "new contract needed in IAM"
        if case.is_ahead(window):
            change = "wait for the contract to begin, or have it brought forward in IAM"
        yield Missing(Code.CONTRACT_NOT_IN_FORCE, f"contract {case.past_or_future(window)}", change)


def _roles(case: Case) -> Iterator[Missing]:
    if case.view.person.roles_known != "yes":
        yield Missing(Code.ROLES_UNKNOWN, "the person's groups could not be read", "restore the IAM feed")


def _cylinder(case: Case) -> Iterator[Missing]:
    if not 1 <= case.view.cylinder.criticality <= 4:
        yield Missing(
            Code.CYLINDER_UNKNOWN,
            "the cylinder's criticality is not known",
            "put the cylinder in a security zone",
        )
    if case.view.cylinder.safety_role == "unknown":
        yield Missing(
            Code.CYLINDER_UNKNOWN,
            "the cylinder's safety role is not known",
            "set its safety role in the plant data",
        )


def _key(case: Case) -> Iterator[Missing]:
    blocked = case.view.key.blocked
    if blocked == "yes":
        yield Missing(Code.KEY_BLOCKED, "the key is blocked", "hand out another key at the key desk")
    elif blocked != "no":
        yield Missing(
            Code.KEY_UNKNOWN,
            "it is not known whether the key is blocked",
            "hand out another key at the key desk",
        )


def _separation(case: Case) -> Iterator[Missing]:
    conflicts = case.situation.sod_conflicts
    if conflicts is None:
        yield Missing(
            Code.SEPARATION_UNKNOWN,
            "it is not known whether duties that must be separate are",
            f"have the roles on {case.permit} completed",
        )
    elif conflicts:
        listed = ", ".join(
            conflict.replace("_", " and ", 1).replace("_", " ") for conflict in sorted(conflicts)
        )
        yield Missing(
            Code.DUTIES_NOT_SEPARATE,
            f"two duties in one hand: {listed}",
            f"give one of the two duties on {case.permit} to somebody else",
        )


def _requester(case: Case) -> Iterator[Missing]:
    approved = case.view.basis.requester_approved
    if approved == "yes":
        yield Missing(
            Code.REQUESTER_APPROVED,
            "the person who asked for it is among its approvers",
            "ask somebody else to approve",
        )
    elif approved != "no":
        yield Missing(Code.REQUESTER_UNKNOWN, "it is not known who asked for it", "ask again, signed in")


def _holder_approved(case: Case) -> Iterator[Missing]:
    basis = case.view.basis
    signs_as_part_of_the_job = basis.kind == "permit_step" and basis.part in ("isolating", "verifier", "area")
    if basis.holder_approved != "no" and not signs_as_part_of_the_job:
        yield Missing(
            Code.HOLDER_APPROVED, "the holder approved it himself or herself", "ask somebody else to approve"
        )


CONDITIONS: Final[tuple[tuple[str, Condition], ...]] = (
    ("guardrail.identity", _identity),
    ("guardrail.contract", _contract),
    ("guardrail.roles", _roles),
    ("guardrail.cylinder", _cylinder),
    ("guardrail.key", _key),
    ("guardrail.separation", _separation),
    ("guardrail.requester", _requester),
    ("guardrail.holder_approved", _holder_approved),
)
