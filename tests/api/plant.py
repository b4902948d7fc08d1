"""A small plant, imported as a site imports it."""

import httpx2

from tests.api.conftest import Site

FILES = {
    "areas": "code,name\nA01,Distillation\n",
    "units": "code,name,area\nCDU,Crude distillation,A01\n",
    "zones": "code,name,criticality\nCDU-FLD,Field,2\n",
    "assets": "scheme,id,name,parent_id,unit\nsap_floc,RTX-CDU,Crude distillation,,CDU\n",
    "access_points": (
        "access_point_id,name,kind,area,unit,asset_scheme,asset_id,lat,lon\n"
        "AP-1,gate east,gate,A01,CDU,sap_floc,RTX-CDU,51.9,4.0\n"
        "AP-2,gate west,gate,A01,CDU,sap_floc,RTX-CDU,51.9,4.0\n"
    ),
    "cylinders": (
        "cylinder_id,locking_system,vendor,marking,cylinder_type,access_point_id,access_point_name,kind,"
        "asset_scheme,asset_id,area,unit,zone_ex,online,egress_free,lat,lon,security_zone,criticality,safety_role\n"
        "v1,ls,iloq,CDU-001,profile,AP-1,gate east,gate,sap_floc,RTX-CDU,A01,CDU,,y,y,51.9,4.0,CDU-FLD,2,none\n"
        "v2,ls,iloq,CDU-002,profile,AP-2,gate west,gate,sap_floc,RTX-CDU,A01,CDU,,n,y,51.9,4.0,CDU-FLD,2,none\n"
    ),
    "asset_cylinders": (
        "asset_scheme,asset_id,cylinder_id,role\nsap_floc,RTX-CDU,v1,perimeter\nsap_floc,RTX-CDU,v2,perimeter\n"
    ),
}
CSV = {"Content-Type": "text/csv"}


async def import_plant(site: Site) -> httpx2.AsyncClient:
    """Import all files; returns the client that did."""
    client = await site.signed_in("administrator")
    for kind, text in FILES.items():
        answer = await client.post(f"/api/v1/imports/{kind}", content=text, headers=CSV)
        assert answer.status_code == 200, answer.text
        assert answer.json()["ok"], answer.text
    return client
