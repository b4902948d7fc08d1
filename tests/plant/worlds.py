"""What the plant's tests share."""

import csv
import io
from datetime import UTC, datetime

from key2xs import plant
from key2xs.core.database import Database
from key2xs.core.imports import ImportReport
from key2xs.ledger import Ledger

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ACTOR = "user:00000000-0000-7000-8000-000000000001"

AREAS = "code,name\nCDU,Crude\nTANK,Tanks\n"
UNITS = "code,name,area\nU1,Unit one,CDU\n"
ZONES = "code,name,criticality\nZ1,Cabinets,2\nZ2,Relief,4\n"
ASSETS = "scheme,id,name,parent_id,unit\nsap_floc,A-1,Pump,,U1\nsap_floc,000A-2,Valve,A-1,\n"
POINTS = "access_point_id,name,kind,area,unit\nAP1,Cabinet 1,cabinet,CDU,U1\nAP2,Gate,gate,TANK,\n"
CYLINDERS = (
    "cylinder_id,locking_system,vendor,marking,cylinder_type,access_point_id,online,egress_free,security_zone,"
    "criticality,safety_role\n"
    "c1,g1,iloq,M-1,cabinet,AP1,n,,Z1,2,none\n"
    "c2,g1,iloq,M-2,padlock,AP2,n,y,Z2,4,isolation\n"
)
LINKS = "asset_scheme,asset_id,cylinder_id,role\nsap_floc,A-1,c1,content\nsap_floc,A-1,c2,isolation\n"

SMALL = {
    "areas": AREAS, "units": UNITS, "zones": ZONES, "assets": ASSETS, "access_points": POINTS,
    "cylinders": CYLINDERS, "asset_cylinders": LINKS,
}  # fmt: skip


async def load(db: Database, ledger: Ledger, kind: str, text: str, *, dry_run: bool = False) -> ImportReport:
    async with db.transaction() as tx:
        return await plant.import_csv(tx, ledger, kind, read_rows(text), at=AT, actor=ACTOR, dry_run=dry_run)


async def load_small(db: Database, ledger: Ledger) -> None:
    for kind, text in SMALL.items():
        report = await load(db, ledger, kind, text)
        assert report.ok, (kind, report.errors)


def read_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
