"""What leases promise: who renewed lately is alive to all of the group, and nobody else is."""

from typing import Any

LONG, SHORT = 60.0, 0.05


def test_whoever_renews_is_told_of_all_of_the_group(site: Any) -> None:
    assert site.port.renew("email", "b", LONG) == ["b"]
    assert site.port.renew("email", "a", LONG) == ["a", "b"]
    assert site.port.renew("webhook", "c", LONG) == ["c"]
    assert site.port.renew("email", "b", LONG) == ["a", "b"]


def test_a_lease_that_is_not_renewed_runs_out(site: Any) -> None:
    site.port.renew("email", "a", SHORT)
    site.wait(2 * SHORT)
    assert site.port.renew("email", "b", LONG) == ["b"]


def test_a_lease_that_is_renewed_does_not(site: Any) -> None:
    site.port.renew("email", "a", SHORT)
    site.port.renew("email", "a", LONG)
    site.wait(2 * SHORT)
    assert site.port.renew("email", "b", LONG) == ["a", "b"]


def test_who_leaves_is_gone_at_once(site: Any) -> None:
    site.port.renew("email", "a", LONG)
    site.port.release("email", "a")
    site.port.release("email", "nobody")
    assert site.port.renew("email", "b", LONG) == ["b"]
