"""The line through the whole product, on real sockets, with every role a process of its own."""

from .site import Site, assert_whole


def a_key_follows_identity_permit_and_policy_across_processes(site: Site) -> None:
    ref, stamp, permit = site.holds_key("C1")
    assert site.twin.opens(stamp, "C1")
    assert not site.twin.opens(stamp, "C2")
    site.permits.suspend(permit)
    site.wait(lambda: site.grants(ref) == ["ended"])
    site.wait(lambda: not site.twin.could_open(stamp, "C1"))
    site.wait(lambda: classes(site, stamp) == ["expected", "refused"])
    assert_whole(site, "line.ndjson")
    site.exported("line-by-command.ndjson")


def classes(site: Site, stamp: str) -> list[str]:
    """Return the classes of a key's openings as the product has them."""
    return sorted(each["class"] for each in site.get("/api/v1/openings", key=stamp)["items"])
