"""What comes from outside is shown as text, and what goes wrong is said in plain words."""

from .client import Browserless
from .showcase import Showcase

SCRIPT = "<script>alert(1)</script>"


async def test_markup_from_the_permit_system_stays_text(evening: Showcase, leader: Browserless) -> None:
    spine = evening.spine
    permit = await evening.permit("odd", "4711", crew=("u1",))
    permit.number = f"77{SCRIPT}"
    permit.work["description"] = "<img src=x onerror=alert(1)>"
    spine.ptw.change_scope(permit.id, assets=["RTX-<b>-1"], at=spine.now)
    await evening.settle()
    listed = await leader.page("/permits?all=1")
    assert SCRIPT not in listed.html
    assert f"77{SCRIPT}" in listed.text, "shown as it is"
    link = next(link for link in listed.links if listed.html.split(link)[1][:60].count("77&lt;"))
    page = await leader.page(link)
    assert SCRIPT not in page.html
    assert "<b>-1" not in page.html
    assert "<img" not in page.html.replace('<img src="/static/favicon.svg"', "")
    assert page.handlers == []


async def test_markup_in_a_search_or_path_stays_text(leader: Browserless) -> None:
    for path in (
        f"/search?q={SCRIPT}",
        f"/keys/{SCRIPT.replace('/', '%2F')}",
        f"/access-points/{SCRIPT.replace('/', '')}",
    ):
        assert SCRIPT not in (await leader.get(path)).text


async def test_a_missing_thing_says_what_to_do_next(leader: Browserless) -> None:
    for path in ("/keys/9999", "/permits/9999", "/access-points/nowhere", "/keys/9999/block"):
        answer = await leader.get(path)
        assert answer.status_code == 404, path
        assert "Check the stamp or number." in answer.text
        assert "Back to My area" in answer.text


async def test_an_address_that_does_not_exist_is_a_page_for_people_and_a_problem_for_programs(
    leader: Browserless,
) -> None:
    page = await leader.get("/no/such/page")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    program = await leader.get("/no/such/page", accept="application/json")
    assert program.headers["content-type"] == "application/problem+json"
    api = await leader.get("/api/v1/no-such-thing")
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_fault_of_ours_shows_nothing_of_the_inside(evening: Showcase, leader: Browserless) -> None:
    async def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("secret detail")

    registry = evening.spine.services.registry
    kept = registry.get_key
    registry.get_key = broken  # type: ignore[method-assign, assignment]
    try:
        answer = await leader.get("/keys/1041")
    finally:
        registry.get_key = kept  # type: ignore[method-assign]
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert "secret detail" not in answer.text
    assert "nothing was given to anybody because of this" in answer.text
