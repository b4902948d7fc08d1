"""The synthetic site: who and what exists, and the files that the product imports. Contract: README.md here."""

from .files import COLUMNS, records, rows, write_csv
from .generate import generate_site
from .inventory import iloq_inventory
from .model import (
    AccessPoint,
    Area,
    Asset,
    AssetCylinder,
    Company,
    Cylinder,
    Duty,
    Key,
    Person,
    Qualification,
    Shift,
    Site,
    Unit,
    VendorRight,
    Zone,
)

__all__ = [
    "COLUMNS",
    "AccessPoint",
    "Area",
    "Asset",
    "AssetCylinder",
    "Company",
    "Cylinder",
    "Duty",
    "Key",
    "Person",
    "Qualification",
    "Shift",
    "Site",
    "Unit",
    "VendorRight",
    "Zone",
    "generate_site",
    "iloq_inventory",
    "records",
    "rows",
    "write_csv",
]
