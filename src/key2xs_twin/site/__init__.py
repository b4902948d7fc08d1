"""The synthetic site: who and what exists, and the files that the product imports. Contract: README.md here."""

from .big import big_inventory, big_records
from .files import COLUMNS, records, rows, write_csv
from .generate import generate_site
from .inventory import iloq_inventory
from .inventory_cliq import cliq_inventory
from .model import (
    AccessPoint,
    Area,
    Asset,
    AssetCylinder,
    Company,
    Cylinder,
    CylinderGroup,
    Duty,
    Key,
    Person,
    ProgrammingKey,
    Qualification,
    Shift,
    Site,
    Unit,
    Updater,
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
    "CylinderGroup",
    "Duty",
    "Key",
    "Person",
    "ProgrammingKey",
    "Qualification",
    "Shift",
    "Site",
    "Unit",
    "Updater",
    "VendorRight",
    "Zone",
    "big_inventory",
    "big_records",
    "cliq_inventory",
    "generate_site",
    "iloq_inventory",
    "records",
    "rows",
    "write_csv",
]
