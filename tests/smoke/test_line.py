"""The line through the whole product, on real sockets, with every role a process of its own."""

from .site import Site


def test_a_key_follows_identity_permit_and_policy_across_processes(site: Site) -> None:
    ref, stamp = site.newcomer()
    permit = site.issue("C1", ref=ref)
    site.wait(lambda: site.grants(ref) == ["active"])
    site.wait(lambda: site.could_open(stamp, "C1"))
    assert site.opens(stamp, "C1")
    assert not site.opens(stamp, "C2")
    site.suspend(permit)
    site.wait(lambda: site.grants(ref) == ["ended"])
    site.wait(lambda: not site.could_open(stamp, "C1"))
    site.wait(lambda: classes(site, stamp) == ["expected", "refused"])
    site.wait(site.quiet)
    uids = {str(row["id"]) for row in site.fetch("SELECT id FROM log_body")}
    site.wait(lambda: uids <= {record.data["key2xs@32473"]["key2xs_uid"] for record in site.told()})
    site.exported("line.ndjson")


def classes(site: Site, stamp: str) -> list[str]:
    return sorted(each["class"] for each in site.get("/api/v1/openings", key=stamp)["items"])
