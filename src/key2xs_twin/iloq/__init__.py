"""The vendor's side of iLOQ: planned state, sessions, and the Public API v2 subset on its exact wire names.

Names, codes and rules follow the vendor's published OpenAPI text; where it is silent a comment says
ASSUMPTION. The server never looks into a device: it knows what was planned, what it sent, and what was
acknowledged.
"""

from key2xs_twin.iloq.edge import IloqApp, IloqTransport, transport
from key2xs_twin.iloq.inventory import (
    IloqSite,
    KeyKind,
    KeySpec,
    LockSpec,
    LockType,
    PersonSpec,
    RightType,
    SecurityAccessSpec,
    ZoneSpec,
)
from key2xs_twin.iloq.settings import IloqSettings

__all__ = [
    "IloqApp",
    "IloqSettings",
    "IloqSite",
    "IloqTransport",
    "KeyKind",
    "KeySpec",
    "LockSpec",
    "LockType",
    "PersonSpec",
    "RightType",
    "SecurityAccessSpec",
    "ZoneSpec",
    "transport",
]
