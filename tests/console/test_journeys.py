"""What people come for, walked in a real browser from the first look to the end."""

import pytest
from playwright.async_api import Page, expect

from .axe import serious_findings
from .showcase import MINUTE
from .stage import PHONE, Stage

# Every page that stands in the navigation or is reached from one, by what the night put on it.
PAGES = (
    "/", "/wall", "/why", "/why?key=1043&lock=4711", "/requests", "/permits?all=1", "/permits/{ups}", "/companies",
    "/companies/v022", "/companies/v022/end", "/keys", "/keys/1043", "/keys/1041/block", "/access-points",
    "/access-points/MCC2-DOOR", "/search?q=10", "/account", "/desk", "/keys-out", "/safety", "/outage", "/sealed",
    "/rollout", "/adoption", "/coverage", "/outage/paper", "/desk/shift", "/codes", "/me", "/administration",
    "/exposure", "/exposure/walk", "/coverage/walk", "/edits", "/ending", "/ending/look?kind=everyone", "/adoption/systems/iloq",
)  # fmt: skip


async def test_a_permit_suspended_at_02_07_is_seen_and_understood_on_my_area(stage: Stage) -> None:
    show = stage.show
    permit = await show.permit("night", "2210", crew=("u1",))
    page = await stage.visit()
    await expect(page.locator(".strip .clock")).to_contain_text("02:0")
    await expect(page.locator("#stopped")).not_to_contain_text(f"permit {permit.number}")
    # The phone is out of coverage, so the key cannot be told.
    show.spine.world.cut_network(show.key_id("1041"))
    show.spine.ptw.suspend(permit.id, code="gas_alarm", at=show.spine.now)
    await show.settle()
    stop = page.locator("#stopped li", has_text=f"permit {permit.number}")
    await expect(stop).to_contain_text("suspended")
    await expect(stop).to_contain_text("Gas alarm")
    await expect(stop).to_contain_text("keys that are out are being ended")
    await expect(stop.locator("time").first).to_contain_text("02:")
    key = page.locator("#exposed li", has_text="1041")
    await expect(key).to_contain_text("surely over")
    countdown = page.locator("#ending [data-until]").first
    before = await countdown.text_content()
    await expect(countdown).not_to_have_text(before or "")
    await expect(page.locator("html")).to_have_attribute("data-live", "on")


async def test_a_refusal_is_explained_on_a_phone_with_the_smallest_change_and_who_makes_it(
    stage: Stage,
) -> None:
    page = await stage.visit(phone=True)
    await page.locator(".thumb").get_by_role("link", name="Why not?").click()
    await page.get_by_label("Stamp on the key").fill("1043")
    await page.get_by_label("Lock, access point or permit").fill("4711")
    await page.keyboard.press("Enter")
    answer = page.locator("article.answer")
    await expect(answer.locator(".verdict")).to_contain_text("is suspended")
    helps = answer.locator(".help")
    await expect(helps).to_contain_text("revalidate permit")
    await expect(helps).to_contain_text("Who: the permit office")
    await expect(helps).to_contain_text("Works from:")
    # In one screen: verdict and the first change stand above the navigation.
    box = await helps.locator(".change").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 844 - 60


async def test_a_company_is_revoked_with_a_second_person_and_its_keys_are_followed(stage: Stage) -> None:
    show = stage.show
    await show.permit("contract", "4713", crew=("u8", "u4"))
    first = await stage.visit("leader")
    await first.goto("/companies")
    await first.get_by_role("link", name="Volt & Vessel").click()
    await first.get_by_role("link", name="End all access").click()
    await expect(first.get_by_role("heading", name="Who and what is affected")).to_be_visible()
    await first.get_by_label("Reason").fill("contract terminated tonight")
    await first.get_by_role("button", name="Propose to end all access").click()
    await expect(first.locator("main")).to_contain_text("Waits for a second person.")
    second = await stage.visit("deputy")
    await expect(second.locator("#requests")).to_contain_text("End all access of a company")
    await second.locator("#requests li", has_text="Volt & Vessel").get_by_role("link", name="Decide").click()
    block = second.locator("section", has_text="contract terminated tonight").last
    await block.get_by_role("button", name="Confirm").click()
    await expect(second.get_by_role("status").first).to_contain_text("Confirmed")
    # Those who are at work are told through the shift leader first; after that it proceeds by itself.
    await show.pass_time(3 * MINUTE)
    await expect(first.locator(".head")).not_to_contain_text("End all access")
    await expect(first.locator("#progress")).to_contain_text("can still open what was ended")
    await expect(first.locator("#keys")).to_contain_text("1043")


async def test_a_key_is_handed_out_with_two_scans_and_nothing_else(stage: Stage) -> None:
    """A scanner types and presses Enter; so does somebody at a keyboard. Ten seconds are five steps of two."""
    page = await stage.visit()
    await page.goto("/desk")
    steps = 0
    for scanned in ("u8", "1047"):
        await page.keyboard.type(scanned)
        await page.keyboard.press("Enter")
        steps += 2
        # The second scan needs the page that the first one opened.
        await expect(page.locator("main")).to_contain_text(
            "Hand out to P-" if scanned == "u8" else "Key 1047"
        )
    await expect(page.locator("main")).to_contain_text("Key 1047 handed to P-")
    assert steps <= 5


async def test_nobody_is_shown_another_accounts_area(stage: Stage) -> None:
    page = await stage.visit()
    await page.locator("details.places summary").click()
    await page.get_by_label("CDU-2").check()
    await page.get_by_role("button", name="Show this").click()
    await expect(page.locator("details.places summary")).to_contain_text("CDU-2")
    await page.locator(".top details.menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await stage.sign_in(page, "deputy")
    await expect(page.locator("details.places summary")).to_contain_text("whole site")


async def test_a_page_says_when_it_lost_contact(stage: Stage) -> None:
    page = await stage.visit()
    await expect(page.locator("html")).to_have_attribute("data-live", "on")
    await page.context.set_offline(True)
    await expect(page.locator(".strip .lost")).to_be_hidden()
    await page.evaluate("document.dispatchEvent(new CustomEvent('htmx:sse:error'))")
    await expect(page.locator(".strip .lost")).to_contain_text("Contact lost: this page shows 02:")


async def test_the_control_room_screen_needs_no_scrolling(stage: Stage) -> None:
    page = await stage.visit()
    await page.set_viewport_size({"width": 1920, "height": 1080})
    await page.goto("/wall")
    overflow = await page.locator("main").evaluate("e => e.getBoundingClientRect().bottom - innerHeight")
    assert overflow <= 0
    smallest = await page.locator(".wall-list li").first.evaluate(
        "e => parseFloat(getComputedStyle(e).fontSize)"
    )
    assert smallest >= 22, "read from three metres"


@pytest.mark.parametrize("phone", [False, True], ids=["1280 light", "390 dark"])
async def test_no_page_has_a_serious_finding_of_axe(stage: Stage, phone: bool) -> None:
    page = await stage.visit(phone=phone)
    # On a phone every third page: they share their frame, colours and pieces, and axe takes a second for each.
    findings = [each for path in (PAGES[::3] if phone else PAGES) for each in await _look(stage, page, path)]
    assert findings == []
    # The other colours: the same words on another ground.
    await page.emulate_media(color_scheme="light" if phone else "dark")
    findings = [each for path in PAGES[:6:2] for each in await _look(stage, page, path, colours_only=True)]
    assert findings == []


@pytest.mark.parametrize("phone", [False, True], ids=["1280 light", "390 dark"])
async def test_a_history_has_no_serious_finding_of_axe_before_and_after_it_is_opened(
    stage: Stage, phone: bool
) -> None:
    page = await stage.visit("manager", phone=phone)
    assert await _look(stage, page, "/history") == []
    await page.get_by_label("Personnel number").fill("u1")
    await page.get_by_label("Purpose").select_option("incident")
    await page.get_by_label("Reason").fill("the near miss at MCC 2")
    await page.get_by_role("button", name="Open, and leave a trace").click()
    await expect(page.locator("main")).to_contain_text("the trace is left")
    await expect(page.locator("main")).to_contain_text("has it still")
    await expect(page.locator("main")).not_to_contain_text("permit permit")
    assert await serious_findings(page) == []
    if phone:
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.context.close()


async def _look(stage: Stage, page: Page, path: str, *, colours_only: bool = False) -> list[str]:
    path = path.format(ups=stage.show.permits["ups"].number)
    await page.goto(path)
    return [f"{path}: {each}" for each in await serious_findings(page, colours_only=colours_only)]


@pytest.mark.parametrize("phone", [True, False])
async def test_the_exposure_page_counts_down_at_both_widths(stage: Stage, phone: bool) -> None:
    page = await stage.visit(phone=phone)
    for path in ("/exposure", "/exposure/walk", "/coverage", "/coverage/walk"):
        await page.goto(path)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= (390 if phone else 1280), path
    await page.goto("/exposure")
    countdown = page.locator("#left [data-until]").first
    await expect(countdown).to_be_visible()
    before = await countdown.text_content()
    await expect(countdown).not_to_have_text(before or "")
    await expect(page.locator("#left")).to_contain_text("Do now:")
    await expect(page.locator("#walk")).to_contain_text("Straight line")
