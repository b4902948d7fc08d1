"""The vendor's side of CLIQ and its devices: a *simulated interface*, because the vendor's own is not public.

Paths, names and codes are ours; what keys, cylinders, updaters and programming keys do follows the vendors' public
documents. Where they are silent a comment says ASSUMPTION.
"""

from key2xs_twin.cliq.edge import CliqApp, CliqTransport, transport
from key2xs_twin.cliq.inventory import (
    AccessProfileSpec,
    CliqKeyKind,
    CliqKeySpec,
    CliqSite,
    CylinderGroupSpec,
    CylinderSpec,
    KeyGroupSpec,
    ProgrammingKeySpec,
    UpdaterKind,
    UpdaterSpec,
)
from key2xs_twin.cliq.plan import ALWAYS, NEVER_VALID, KeyPlan, Validity, ValidityKind, WeeklyRow
from key2xs_twin.cliq.settings import CliqSettings, OfflineUpdates

__all__ = [
    "ALWAYS",
    "NEVER_VALID",
    "AccessProfileSpec",
    "CliqApp",
    "CliqKeyKind",
    "CliqKeySpec",
    "CliqSettings",
    "CliqSite",
    "CliqTransport",
    "CylinderGroupSpec",
    "CylinderSpec",
    "KeyGroupSpec",
    "KeyPlan",
    "OfflineUpdates",
    "ProgrammingKeySpec",
    "UpdaterKind",
    "UpdaterSpec",
    "Validity",
    "ValidityKind",
    "WeeklyRow",
    "transport",
]
