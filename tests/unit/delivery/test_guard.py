"""No request goes to an address that is not public, however it is written and whatever a name resolves to."""

from ipaddress import ip_address, ip_network

import pytest

from consumers.delivery.net.guard import Guard, RefusedAddressError, is_hostile, literal, resolve
from consumers.delivery.net.url import UrlError, checked_url

HOSTILE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.0.1",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.88.99.3", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::a00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1",
    "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:c0a8:101::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "192.89.0.1", "2606:4700::1111", "2a00:1450:4001::200e"]


@pytest.mark.parametrize("address", HOSTILE)
@pytest.mark.parametrize("port", [80, 443])
def test_hostile_addresses_are_refused(address: str, port: int) -> None:
    with pytest.raises(RefusedAddressError):
        Guard().check(ip_address(address), port)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass_on_the_ports_of_the_web_only(address: str) -> None:
    assert not is_hostile(ip_address(address))
    Guard().check(ip_address(address), 443)
    Guard().check(ip_address(address), 80)
    with pytest.raises(RefusedAddressError, match="ports"):
        Guard().check(ip_address(address), 25)


def test_ones_own_networks_pass_on_any_port_and_nothing_beside_them() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")])
    guard.check(ip_address("10.1.2.3"), 8080)
    guard.check(ip_address("::ffff:10.1.2.3"), 8080)
    guard.check(ip_address("fd00:1::5"), 25)
    for address, port in (("10.2.0.1", 80), ("127.0.0.1", 80), ("fd00:2::1", 443), ("1.1.1.1", 8080)):
        with pytest.raises(RefusedAddressError):
            guard.check(ip_address(address), port)


LOOPBACK_IN_DISGUISE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "⑫⑦.⓪.⓪.①", "127。0。0。1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]", "[::7f00:1]", "[fe80::1%25eth0]", "0", "0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK_IN_DISGUISE)
async def test_loopback_is_recognised_in_every_notation(host: str) -> None:
    """Either the URL is refused, or its host does not resolve, or what it resolves to is refused."""

    async def addresses(text: str) -> object:
        guard = Guard()
        return await guard.addresses(checked_url(text, guard).host, 80)

    with pytest.raises((UrlError, RefusedAddressError, OSError)):
        await addresses(f"http://{host}/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.0.0.1", "[::1]", "127.1"])
def test_a_disguised_address_is_refused_before_any_resolving(host: str) -> None:
    with pytest.raises(UrlError, match="public"):
        checked_url(f"http://{host}/", Guard())


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "[fe80::1%25eth0]"])
def test_ones_own_addresses_are_written_in_full(host: str) -> None:
    guard = Guard([ip_network("127.0.0.0/8"), ip_network("fe80::/10")])
    with pytest.raises(UrlError, match="usual form"):
        checked_url(f"http://{host}/", guard)


def test_a_name_is_not_taken_for_an_address() -> None:
    assert literal("example.com") is None
    assert literal("1password.com") is None


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "example.com",
        "//example.com/", "http://", "http:///x", "http://user@example.com/", "http://user:pw@example.com/",
        "http://:@example.com/", "http://example.com\\@127.0.0.1/", "http://exa mple.com/",
        "http://example.com/\r\nX: y", "http://example.com:99999/", "http://example.com:25/", "http://[::1", "",
        "http://example.com/" + "x" * 2000,
    ],
)  # fmt: skip
def test_urls_that_are_not_taken(text: str) -> None:
    with pytest.raises(UrlError) as refused:
        checked_url(text, Guard())
    assert "example.com" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://Example.COM/Hook?a=b#part", "https://example.com/Hook?a=b"),
        ("http://example.com", "http://example.com"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://example.com:443/", "https://example.com/"),
    ],
)
def test_urls_that_are_taken_are_brought_into_one_form(text: str, normal: str) -> None:
    assert str(checked_url(text, Guard())) == normal


def test_with_networks_of_ones_own_a_names_port_is_decided_when_it_is_resolved() -> None:
    guard = Guard([ip_network("127.0.0.0/8")])
    assert str(checked_url("http://receiver.internal:9000/x", guard)) == "http://receiver.internal:9000/x"
    assert str(checked_url("http://127.0.0.1:9000/x", guard)) == "http://127.0.0.1:9000/x"
    with pytest.raises(UrlError):
        checked_url("http://10.0.0.1:9000/x", guard)


async def test_one_bad_address_condemns_the_name() -> None:
    async def two_faced(host: str, port: int) -> list[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(RefusedAddressError):
        await Guard(resolver=two_faced).addresses("two-faced.example", 80)


async def test_a_name_without_addresses_does_not_resolve() -> None:
    async def empty(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(OSError, match="no address"):
        await Guard(resolver=empty).addresses("empty.example", 80)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_what_cannot_be_a_name_does_not_resolve(host: str) -> None:
    with pytest.raises(OSError):
        await resolve(host, 80)
