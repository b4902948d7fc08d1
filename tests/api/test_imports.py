"""Importing files: what is wrong is named by line and field, the rest is taken, and twice changes nothing."""

import pytest

from tests.api.conftest import Site
from tests.api.leases import add_keys
from tests.api.plant import CSV, FILES, import_plant


async def test_the_same_files_twice_change_nothing_the_second_time(site: Site) -> None:
    client = await import_plant(site)
    kinds = await site.kinds()
    for kind, text in FILES.items():
        report = (await client.post(f"/api/v1/imports/{kind}", content=text, headers=CSV)).json()
        assert (report["added"], report["changed"]) == (0, 0), report
        assert report["unchanged"] > 0
    assert await site.kinds() == kinds


async def test_a_dry_run_says_what_would_change_and_changes_nothing(site: Site) -> None:
    client = await site.signed_in("administrator")
    kinds = await site.kinds()
    answer = await client.post("/api/v1/imports/areas?dry_run=true", content=FILES["areas"], headers=CSV)
    assert answer.json()["added"] == 1
    assert answer.json()["diff"]
    assert await site.kinds() == kinds


async def test_a_wrong_row_is_named_and_the_others_are_taken(site: Site) -> None:
    client = await site.signed_in("administrator")
    text = "code,name,criticality\nA,Fine,2\nB,Too much,9\n,No code,1\n"
    report = (await client.post("/api/v1/imports/zones", content=text, headers=CSV)).json()
    assert (report["ok"], report["added"], report["error_count"]) == (False, 1, 2)
    assert [(each["row"], each["field"]) for each in report["errors"]] == [(3, "criticality"), (4, "code")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"", "header"),
        (b"code,code\n1,2\n", "header"),
        (b"code,name\n1,2,3\n", "more cells"),
        (b'code,name\n1,"2\n', "line"),
        (b"code,name\n1,\x00\n", "NUL"),
        (b"code,name\n1," + b"x" * 20_000 + b"\n", "line"),
    ],
)
async def test_what_is_no_csv_file_is_refused_as_a_whole(site: Site, body: bytes, says: str) -> None:
    client = await site.signed_in("administrator")
    answer = await client.post("/api/v1/imports/areas", content=body, headers=CSV)
    assert answer.status_code == 400, answer.text
    assert says in answer.text


async def test_another_kind_or_type_of_file_is_refused(site: Site) -> None:
    client = await site.signed_in("administrator")
    assert (await client.post("/api/v1/imports/secrets", content="a\n1\n", headers=CSV)).status_code == 404
    json = await client.post("/api/v1/imports/areas", json={})
    assert json.status_code == 415


async def test_people_and_companies_come_in_and_names_stay_out_of_the_report(site: Site) -> None:
    client = await site.signed_in("administrator")
    companies = "ref,name\nv001,Maasmond Scaffolding\n"
    assert (await client.post("/api/v1/imports/companies", content=companies, headers=CSV)).json()[
        "added"
    ] == 1
    people = (
        "scheme,ref,personnel_no,given_name,family_name,company,contract_start,contract_end,sponsor\n"
        "personnel_no,00004344,00004344,Joris,Hofmeent,v001,2026-01-01,2026-12-31,\n"
        "personnel_no,00004345,00004345,Sanne,Zijlmans,v999,2026-01-01,2026-12-31,\n"
    )
    answer = await client.post("/api/v1/imports/people", content=people, headers=CSV)
    report = answer.json()
    assert (report["added"], report["error_count"]) == (1, 1), report
    assert "Hofmeent" not in answer.text
    assert "Zijlmans" not in answer.text


async def test_the_key_register_says_which_keys_are_for_emergencies(site: Site) -> None:
    await add_keys(site, "1001", "1002")
    client = await site.signed_in("administrator")
    text = (
        "key_system,stamp,external_id,kind,purpose\n"
        "iloq-main,1001,v-1001,phone,emergency\n"
        "iloq-main,1002,v-1002,phone,personal\n"
        "iloq-main,1003,v-1003,fob,fire_brigade\n"
        "nowhere,1,v-1,phone,personal\n"
        "iloq-main,1004,v-4,spoon,personal\n"
        "iloq-main,1001,v-1001,phone,personal\n"
    )
    report = (await client.post("/api/v1/imports/keys", content=text, headers=CSV)).json()
    assert (report["added"], report["changed"], report["unchanged"], report["error_count"]) == (1, 1, 1, 3)
    soc = await site.signed_in("soc")
    shown = {key["stamp"]: key["emergency"] for key in (await soc.get("/api/v1/keys")).json()["items"]}
    assert shown == {"1001": True, "1002": False, "1003": True}
