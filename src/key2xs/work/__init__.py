"""Work: permits as their systems tell them, and what they mean at every instant."""

from .desk import Desk
from .facts import (
    find_permit,
    held_messages,
    list_permits,
    live_permits_of_person,
    permit_facts,
    permits_in_area,
    permits_of_person,
)
from .feed import SILENT_AFTER, feed_ok, source_status
from .loops import BoundaryLoop, PeopleReader, SilenceLoop
from .parties import resolve_people
from .payload import Problem
from .service import receive_event, set_native_state
from .signature import BadSignature, Scheme, sign, verify
from .states import ENDED, NARROWING, State
from .timeline import Finding
from .types import (
    Approval,
    CheckIn,
    CrewMember,
    GasTest,
    HeldMessage,
    Isolation,
    IsolationPoint,
    Outcome,
    OutcomeKind,
    PermitFacts,
    PermitSummary,
    PersonalLock,
    SourceStatus,
    Step,
)
from .webhook import BODY_LIMIT, Answer, Webhook

__all__ = [
    "BODY_LIMIT",
    "ENDED",
    "NARROWING",
    "SILENT_AFTER",
    "Answer",
    "Approval",
    "BadSignature",
    "BoundaryLoop",
    "CheckIn",
    "CrewMember",
    "Desk",
    "Finding",
    "GasTest",
    "HeldMessage",
    "Isolation",
    "IsolationPoint",
    "Outcome",
    "OutcomeKind",
    "PeopleReader",
    "PermitFacts",
    "PermitSummary",
    "PersonalLock",
    "Problem",
    "Scheme",
    "SilenceLoop",
    "SourceStatus",
    "State",
    "Step",
    "Webhook",
    "feed_ok",
    "find_permit",
    "held_messages",
    "list_permits",
    "live_permits_of_person",
    "permit_facts",
    "permits_in_area",
    "permits_of_person",
    "receive_event",
    "resolve_people",
    "set_native_state",
    "sign",
    "source_status",
    "verify",
]
