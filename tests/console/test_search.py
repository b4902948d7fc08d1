"""Search by what is printed on things: exactly one leads there, a stamp of two key systems is shown twice, names never."""

from urllib.parse import quote

import pytest

from key2xs.core.database import Connection
from key2xs.core.search import typed
from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey

from .client import Browserless
from .conftest import browse
from .showcase import Showcase

TWICE = "9001"


@pytest.fixture(scope="module", autouse=True)
async def twice(site: Showcase) -> None:
    """Two more key systems, and a key in each with the same stamp."""
    spine = site.spine

    async def list_them(tx: Connection) -> None:
        for name, vendor, kind in (("north", "iloq", KeyKind.FOB), ("south", "cliq", KeyKind.DYNAMIC)):
            system = await spine.services.registry.ensure_system(tx, name, vendor, spine.now)
            key = VendorKey(f"{name}-{TWICE}", TWICE, kind, ProgrammingState.PLANNING)
            found = Inventory((key,), (), (), spine.now, visibility_complete=True)
            await spine.services.registry.take_inventory(tx, system.id, found, spine.now)

    await spine.services.database.transact(list_them)


@pytest.fixture
async def visitor(site: Showcase) -> Browserless:
    client = browse(site)
    await client.sign_in("leader")
    return client


async def test_a_stamp_of_two_key_systems_is_shown_twice_with_its_system(visitor: Browserless) -> None:
    page = await visitor.page(f"/search?q={TWICE}")
    assert "More than one thing carries exactly this." in page.text
    assert "iLOQ, north" in page.text
    assert "CLIQ, south simulated interface" in page.text
    links = [link for link in page.links if link.startswith("/keys/") and link != "/keys/"]
    assert len(set(links)) == 2
    for link in links:
        assert TWICE in (await visitor.page(link)).text


async def test_why_asks_which_of_two_keys_is_meant(visitor: Browserless) -> None:
    page = await visitor.page(f"/why?key={TWICE}&lock=4711")
    assert f"Two keys carry {TWICE}. Which one?" in page.text
    answer = await visitor.page(next(link for link in page.links if link.startswith("/why?key=")))
    assert "Nobody was handed this key." in answer.text
    assert "the key desk" in answer.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("471", "4711"),  # a beginning
        ("cdu-2-47", "Nothing carries that."),  # an asset is no stamp
        ("feeder", "MCC2-F07"),  # a part of an access point's name
        ("seal", "Rotor & Seal"),  # a part of a company's name
        ("%_%", "Nothing carries that."),  # no wildcards
        ("u1", "Nothing carries that."),  # a person's id in the IAM is not looked for here
    ],
)
async def test_search_finds_beginnings_and_parts_and_no_people(
    visitor: Browserless, text: str, expected: str
) -> None:
    answer = await visitor.page(f"/search?q={quote(text)}")
    assert expected in answer.text


async def test_a_person_is_found_by_a_whole_number_sent_as_a_form(visitor: Browserless) -> None:
    page = await visitor.page("/search")
    found = await visitor.submit(page, "/search", number="u1")
    assert found.status_code == 200
    assert "1041" in found.text
    assert "Rotor &amp; Seal" in found.text
    nobody = await visitor.submit(page, "/search", number="u")
    assert "Nobody goes by exactly this number." in nobody.text


@pytest.mark.parametrize(
    ("text", "part"), [("ab", None), ("ABC", "%abc%"), (" a%b ", r"%a\%b%"), ("a_b", r"%a\_b%")]
)
def test_what_is_typed_is_compared_without_case_and_has_no_wildcards(text: str, part: str | None) -> None:
    assert typed(text).part == part
    assert typed(text).exact == text.strip().lower()
    assert typed(text).exact + "\N{GREEK SMALL LETTER OMEGA}" < typed(text).begins_before
