"""Work: permits as their systems tell them, and what they mean at every instant."""

from .desk import Desk
from .facts import (
    find_permit,
    held_messages,
    list_permits,
    live_permits_of_person,
    permit_facts,
    permits_of_person,
)
from .feed import SILENT_AFTER, feed_ok, source_status
from .loops import BoundaryLoop, PeopleReader, SilenceLoop
from .paper import PaperPermit, PaperPermits
from .paper_form import PAPER, PaperForm, PaperGas, PaperIsolation, PaperMember
from .parties import resolve_people
from .payload import Problem
from .service import receive_event, set_native_state
from .signature import BadSignature, Scheme, sign, verify
from .source_down import DeclaredDown, declare_back, declare_down, sources_declared_down
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
    "PAPER",
    "SILENT_AFTER",
    "Answer",
    "Approval",
    "BadSignature",
    "BoundaryLoop",
    "CheckIn",
    "CrewMember",
    "DeclaredDown",
    "Desk",
    "Finding",
    "GasTest",
    "HeldMessage",
    "Isolation",
    "IsolationPoint",
    "Outcome",
    "OutcomeKind",
    "PaperForm",
    "PaperGas",
    "PaperIsolation",
    "PaperMember",
    "PaperPermit",
    "PaperPermits",
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
    "declare_back",
    "declare_down",
    "feed_ok",
    "find_permit",
    "held_messages",
    "list_permits",
    "live_permits_of_person",
    "permit_facts",
    "permits_of_person",
    "receive_event",
    "resolve_people",
    "set_native_state",
    "sign",
    "source_status",
    "sources_declared_down",
    "verify",
]
