"""Every page, made on the server and read without scripts."""

from key2xs.core.clock import StoredClock
from key2xs.runtime import DemoTime

from .client import Browserless, Page
from .conftest import browse
from .showcase import Showcase


async def test_every_page_renders_without_inline_script_or_style(
    evening: Showcase, leader: Browserless
) -> None:
    paths = [
        "/", "/permits", "/permits?all=1", "/keys", "/access-points", "/requests", "/search?q=104", "/account",
        *(f"/permits/{evening.permits[name].number}" for name in ("pumps", "ups", "analyser", "valves")),
        *(f"/keys/{stamp}" for stamp in ("1041", "1043", "1046", "1047", "1061", "0307")),
        *(f"/keys/1041/{act}" for act in ("hand-out", "take-back", "block")),
        *(f"/access-points/{code}" for code in ("MCC2-DOOR", "UPS-1", "AH-3", "LB-17")),
        "/access-points/MCC2-F07",
    ]  # fmt: skip
    for path in paths:
        page = await leader.page(path)
        assert page.handlers == [], path
        assert "<script>" not in page.html, path
        for source in ("iLOQ", "eptw", "entra"):
            assert source in page.text, (path, "says how old the data is")
        for csrf in (fields for action, fields in page.forms.items() if action not in ("/search", "")):
            assert "csrf_token" in csrf or not csrf, path


async def test_no_name_is_on_any_page(evening: Showcase, leader: Browserless) -> None:
    """Privacy: live pages show pseudonyms and companies."""
    seen = ""
    for path in (
        "/",
        "/keys",
        "/keys/1041",
        "/requests",
        "/access-points/MCC2-F07",
        f"/permits/{evening.permits['ups'].number}",
    ):
        seen += (await leader.page(path)).html
    assert "Rotor &amp; Seal" in seen
    for name in ("Given", "Family-", "@example.org"):
        assert name not in seen


async def test_my_area_shows_what_waits_for_whom(evening: Showcase, leader: Browserless) -> None:
    page = await leader.page("/")
    assert "1 unexplained opening" in page.text
    assert "Opened by a key that is in no register" in page.text
    assert "2 decisions waiting" in page.text
    assert page.text.index("Steam leak at E-1105") < page.text.index("Read the analyser"), "emergencies first"
    assert "/keys/0307" in page.links
    assert "no bound" in page.text
    assert "Nothing ends this by itself. Collect the key" in page.text
    assert "surely over" in page.text
    assert f"permit {evening.permits['analyser'].number}" in page.text, "it ends within the hour"
    assert "0 sources not heard" in page.text


async def test_access_point_says_who_can_open_it_why_and_until_when(
    evening: Showcase, leader: Browserless
) -> None:
    page = await leader.page("/access-points/MCC2-DOOR")
    assert "2 keys may open this now." in page.text
    assert "2 more still can, though their access ended." in page.text
    permit = evening.permits["pumps"]
    assert any(link.startswith("/permits/") for link in page.links)
    assert f"permit {permit.number}, step\N{NO-BREAK SPACE}10" in page.html
    assert f"permit {evening.permits['ups'].number}" in page.text, "what ended is named"
    assert "How we know" in page.text
    assert "offline time" in page.text, "the terms of the bound"
    assert "inferred" in page.text, "and the assumptions, with how sure they are"
    assert "mechanical keys, programming keys, a door left unlocked" in page.text


async def test_an_access_point_nobody_can_open_says_so(leader: Browserless) -> None:
    page = await leader.page("/access-points/LB-17")
    assert "No key that Key2XS knows can open this now." in page.text
    assert "not known whether it may bar a way out" in (await leader.page("/access-points/UPS-1")).text


async def test_explaining_a_person_names_the_smallest_change(leader: Browserless) -> None:
    async def explain(code: str, who: str) -> Page:
        path = f"/access-points/{code}"
        page = await leader.page(path)
        answer = await leader.submit(page, f"{path}#explain", who=who)
        assert answer.status_code == 200, answer.text[:2000]
        return Page(answer.text)

    yes = await explain("MCC2-F07", "1041")
    assert "yes, allowed" in yes.text
    no = await explain("MCC2-DOOR", "1043")
    assert "is suspended, which gives workers nothing" in no.text
    assert "ask the issuer to revalidate" in no.text
    stranger = await explain("MCC2-F07", "1044")
    assert "have them put on a permit that covers it" in stranger.text
    nobody = await explain("MCC2-F07", "<b>x</b>")
    assert "Nobody goes by <b>x</b>" in nobody.text
    assert "<b>x</b>" not in nobody.html


async def test_permit_shows_state_crew_keys_and_refusals(evening: Showcase, leader: Browserless) -> None:
    page = await leader.page(f"/permits/{evening.permits['ups'].number}")
    assert "Suspended since" in page.text
    assert "(weather)" in page.text
    assert "Nothing comes back by itself. After a revalidation" in page.text
    assert "2 signed on" in page.text
    assert "not signed on" in page.text
    assert "can still open , surely over" in page.text
    assert "no bound" in page.text
    work = await leader.page(f"/permits/{evening.permits['pumps'].number}")
    assert "In force since" in work.text
    assert work.text.count("in the key") >= 4
    assert "the step of permit 0001 is waiting What would help: ask the issuer to authorise it" in work.text
    odd = await leader.page(f"/permits/{evening.permits['analyser'].number}")
    assert "The plant register does not know it." in odd.text
    assert odd.text.count("RTX-CDU-2-AT-3101") == 1, "said once, not with every message"


async def test_a_reissued_permit_is_named_by_the_cancelled_one(
    evening: Showcase, leader: Browserless
) -> None:
    old = evening.permits["valves"]
    spine = evening.spine
    spine.ptw.cancel(old.id, code="gas_alarm", at=spine.now)
    await evening.settle()
    before = await leader.page(f"/permits/{old.number}")
    assert "When the permit office reissues this permit in eptw, the new one is named here" in before.text
    new = spine.ptw.reissue(old.id, valid_from=spine.now, valid_to=old.valid_to, at=spine.now)
    await evening.settle()
    after = await leader.page(f"/permits/{old.number}")
    assert f"Reissued as permit {new.number}" in after.text
    assert f"Replaces permit {old.number}" in (await leader.page(f"/permits/{new.number}")).text


async def test_key_says_how_far_its_change_is_and_what_it_can_still_open(leader: Browserless) -> None:
    page = await leader.page("/keys/1043")
    assert "accepted by iLOQ" in page.text
    assert 'aria-current="step"' in page.html
    assert "It can still open 2 locks that nothing allows any more" in page.text
    good = await leader.page("/keys/1041")
    assert "Will still work until" in good.text
    assert "expected" in good.text
    metal = await leader.page("/keys/0307")
    assert "No bound: nothing known ends this by itself for at least one lock." in metal.text


async def test_search_goes_straight_to_what_carries_exactly_that(
    evening: Showcase, leader: Browserless
) -> None:
    for text, path in (
        ("1041", "/keys/1041"),
        ("mcc2-f07", "/access-points/MCC2-F07"),
        ("4713", "/access-points/MCC2-F08"),
    ):
        answer = await leader.get(f"/search?q={text}")
        assert (answer.status_code, answer.headers.get("location")) == (303, path), text
    permit = await leader.get(f"/search?q={evening.permits['ups'].number}")
    assert permit.headers["location"].startswith("/permits/")
    several = await leader.page("/search?q=104")
    assert {"/keys/1041", "/keys/1042"} <= set(several.links)
    assert "Nothing carries that." in (await leader.page("/search?q=zz")).text


async def test_a_role_sees_only_what_it_may(evening: Showcase) -> None:
    async with browse(evening) as client:
        await client.sign_in("admin")
        page = await client.page("/")
        assert "Where this comes from" in page.text
        for hidden in ("Steam leak", "no bound", "unexplained", "P-"):
            assert hidden not in page.text, hidden
        assert "/keys" not in page.links
        refused = await client.get("/keys/1041")
        assert refused.status_code == 403
        assert "You may not do this" in refused.text
        assert "ask the administrator of this site for another role" in refused.text


async def test_a_silent_permit_system_is_said_on_every_page(evening: Showcase, leader: Browserless) -> None:
    await evening.spine.advance(4 * evening.MINUTE)
    page = await leader.page("/keys")
    assert "eptw is silent" in page.text
    assert "1 source not heard" in (await leader.page("/")).text
    await evening.pass_time(evening.MINUTE)
    assert "eptw is silent" not in (await leader.page("/keys")).text


async def test_a_log_behind_its_own_publication_is_said_on_every_page(site: Showcase) -> None:
    log = site.spine.installation.log_database
    async with browse(site) as client:
        await client.sign_in("leader")
        async with log.transaction() as tx:
            await tx.execute("UPDATE log_head SET narrow_only_why = $1", "the log lost entries at a restore")
        try:
            page = await client.page("/permits")
        finally:
            async with log.transaction() as tx:
                await tx.execute("UPDATE log_head SET narrow_only_why = NULL")
        assert "Only taking away. The log lost entries at a restore." in page.text
        assert "Nothing new is given until a person has checked the log." in page.text
        assert "Only taking away" not in (await client.page("/permits")).text


async def test_a_demo_says_that_everything_is_made_up(site: Showcase) -> None:
    runtime = site.app.state["web"].runtime
    async with browse(site) as client:
        await client.sign_in("leader")
        assert "Simulated plant." not in (await client.page("/keys")).text
        runtime.demo_time = DemoTime(site.spine.services.database, StoredClock(site.spine.now), runtime.wake)
        try:
            page = await client.page("/keys")
        finally:
            runtime.demo_time = None
        assert "Simulated plant. Keys, locks and people are made up" in page.text
