"""Pages that renew themselves while somebody reads, types or walks with the keyboard: nobody is moved."""

import re
from importlib.resources import files

import pytest
from playwright.async_api import expect

from .showcase import MINUTE, ask
from .stage import Stage

# Every page with something to fill in, on the night.
FORMS = (
    "/", "/requests", "/safety", "/why", "/companies/v022/end", "/keys/1061/block", "/access-points/MCC2-DOOR",
    "/search?q=10", "/desk", "/outage", "/outage/paper", "/sealed", "/account",
)  # fmt: skip

# Fills every field, opened or not, with something else than it holds; remembers the very elements.
_FILL = """() => {
  window.fields = [...document.querySelectorAll("#live input:not([type=hidden]), #live select, #live textarea")];
  window.typed = fields.map((field, n) => {
    if (field.type === "checkbox" || field.type === "radio") return field.checked = !field.checked;
    if (field.tagName === "SELECT") { field.selectedIndex = field.options.length - 1; return field.value; }
    field.value = {number: "7", date: "2026-01-02", "datetime-local": "2026-01-02T03:04"}[field.type] || `half ${n}`;
    return field.value;
  });
  return fields.length;
}"""
_LOST = """() => fields.map((field, n) => {
  const now = field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
  return field.isConnected && (now === typed[n] || field.type === "radio") ? null : `${field.name}: ${now}`;
}).filter(Boolean)"""
# Asks for the news at once, as a pulse does, and waits until they are on the page.
_RENEW = """() => new Promise((done, late) => {
  document.addEventListener("htmx:after:settle", () => setTimeout(done, 30), {once: true});
  setTimeout(() => late(new Error("the page did not renew itself")), 8000);
  document.body.dispatchEvent(new CustomEvent("site-changed"));
})"""


async def test_news_wipe_nothing_that_was_typed(stage: Stage) -> None:
    page = await stage.visit()
    for path in FORMS:
        await page.goto(path)
        assert await page.evaluate(_FILL), path
        # Ages and countdowns are others now, all over the page.
        await stage.show.pass_time(MINUTE)
        await page.evaluate(_RENEW)
        assert await page.evaluate(_LOST) == [], path
    await page.context.close()


async def test_news_leave_the_keyboard_where_it_is(stage: Stage) -> None:
    """Also on a page that begins in a field: whoever has gone on is not taken back to it."""
    page = await stage.visit()
    for path, wanted in (
        ("/keys/1061/block", "main a[href='/keys/1061']"),
        ("/why", "main button"),
        ("/desk", "main summary"),
        ("/", "#exposed a.stamp"),
        ("/permits", "main td.lead a >> nth=-1"),
    ):
        await page.goto(path)
        there = page.locator(wanted).first
        await there.evaluate("e => { e.focus(); window.mine = e; }")
        for _ in range(2):
            await page.evaluate(_RENEW)
            assert await page.evaluate("() => document.activeElement === mine"), path
    await page.context.close()


async def test_a_line_that_comes_in_above_does_not_take_over_a_form_below(stage: Stage) -> None:
    """What is pressed belongs to what is read beside it."""
    show = stage.show
    await ask(show, "approved_request", "u2", "AH-3", "Read the second analyser", 2)
    await show.settle()
    page = await stage.visit("issuer")
    await page.goto("/requests")
    form = page.locator("section", has_text="Read the second analyser").locator("form")
    reason = form.get_by_label("Reason")
    await reason.fill("half a rea")
    await ask(show, "emergency", "u5", "LB-17", "A second leak beside the first", 0.5)
    await show.settle()
    await expect(page.locator("main")).to_contain_text("A second leak beside the first")
    await expect(reason).to_be_focused()
    await expect(reason).to_have_value("half a rea")
    for section in await page.locator("main section[id^='r-']").all():
        action = await section.locator("form").first.get_attribute("action") or ""
        assert action == f"/requests/{(await section.get_attribute('id') or '').removeprefix('r-')}"
    await page.context.close()


@pytest.mark.parametrize(
    "name", sorted(each.name for each in (files("key2xs.console") / "templates").iterdir())
)
def test_what_a_refresh_leaves_alone_has_an_id_of_its_own(name: str) -> None:
    """Otherwise it may be taken for its neighbour, and what somebody presses goes to another line's address."""
    text = (files("key2xs.console") / "templates" / name).read_text(encoding="utf-8")
    for tag in re.findall(r"<\w+(?:[^<>{]|\{\{.*?\}\}|\{%.*?%\})*hx-morph-skip", text):
        assert ' id="' in tag, tag
