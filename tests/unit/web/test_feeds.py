"""RSS and Atom against the rules of their formats, and what a reader sees over time."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from lxml import etree, html
from msgspec.structs import replace

from consumers.web.render import feeds
from streams.domain.model import PageView
from tests.builders import acme
from tests.builders.views import DAY, HOUR, MINUTE, NOW, SETTINGS, incident, update, view

ATOM = {"a": "http://www.w3.org/2005/Atom"}
Render = Callable[[PageView], bytes]
BOTH = pytest.mark.parametrize("render", [feeds.rss, feeds.atom])


def parse(body: bytes) -> etree._Element:
    return etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))


def entries(shown: PageView) -> dict[str, etree._Element]:
    return {each.findtext("a:id", None, ATOM): each for each in parse(feeds.atom(shown)).findall("a:entry", ATOM)}


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC)


@pytest.mark.parametrize("shown", [acme.outage(), acme.in_maintenance(), acme.empty()], ids=["outage", "work", "empty"])
def test_rss_has_what_its_specification_demands(shown: PageView) -> None:
    root = parse(feeds.rss(shown))
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    channel = root.find("channel")
    assert [channel.findtext(tag) for tag in ("title", "link", "description")] == [
        "Acme Cloud status", "https://status.acme.example/", "Incidents and maintenance of Acme Cloud",
    ]  # fmt: skip
    assert channel.find("a:link", ATOM).attrib == {
        "href": "https://status.acme.example/history.rss", "rel": "self", "type": "application/rss+xml",
    }  # fmt: skip
    assert parsedate_to_datetime(channel.findtext("lastBuildDate")) == moment(NOW)
    for item in channel.findall("item"):
        assert item.findtext("title")
        assert item.findtext("description")
        assert item.findtext("link").startswith("https://status.acme.example/")
        assert item.find("guid").get("isPermaLink") == "false"
        assert parsedate_to_datetime(item.findtext("pubDate")).tzinfo is not None


@pytest.mark.parametrize("shown", [acme.outage(), acme.in_maintenance(), acme.empty()], ids=["outage", "work", "empty"])
def test_atom_has_what_its_specification_demands(shown: PageView) -> None:
    root = parse(feeds.atom(shown))
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    assert root.findtext("a:author/a:name", None, ATOM) == "Acme Cloud"
    links = {each.get("rel", "alternate"): each.get("href") for each in root.findall("a:link", ATOM)}
    assert links == {
        "self": "https://status.acme.example/history.atom", "alternate": "https://status.acme.example/",
    }  # fmt: skip
    ids = [element.text for element in root.findall(".//a:id", ATOM)]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("urn:uuid:") for each in ids)
    for element in [root, *root.findall("a:entry", ATOM)]:
        assert len(element.findall("a:title", ATOM)) == len(element.findall("a:updated", ATOM)) == 1
        assert datetime.fromisoformat(element.findtext("a:updated", None, ATOM)).tzinfo is not None
    for entry in root.findall("a:entry", ATOM):
        assert entry.find("a:content", ATOM).get("type") == "html"


def test_an_entry_tells_all_updates_newest_first() -> None:
    [item] = [each for each in parse(feeds.rss(acme.outage())).iter("item") if "Card" in each.findtext("title")]
    told = html.fragment_fromstring(item.findtext("description"), create_parent=True)
    assert [each.text for each in told.xpath("./p/strong[1]")] == [
        "Post-mortem", "Resolved", "Identified", "Investigating",
    ]  # fmt: skip


def test_an_update_moves_the_time_and_keeps_the_id() -> None:
    before = incident("Slow", [update("investigating", "We look.", NOW - HOUR)])
    after = replace(before, updates=[*before.updates, update("resolved", "Over.", NOW)], updated_at=NOW)
    [(old_id, old)] = entries(view(incidents=[before])).items()
    [(new_id, new)] = entries(view(incidents=[after])).items()
    assert new_id == old_id
    times = [datetime.fromisoformat(each.findtext("a:updated", None, ATOM)) for each in (old, new)]
    assert times == [moment(NOW - HOUR), moment(NOW)]
    published = [datetime.fromisoformat(each.findtext("a:published", None, ATOM)) for each in (old, new)]
    assert published == [moment(NOW - HOUR)] * 2
    assert parsedate_to_datetime(parse(feeds.rss(view(incidents=[after]))).findtext(".//pubDate")) == moment(NOW)


def test_ids_survive_a_move_to_another_address() -> None:
    moved = replace(acme.outage(), settings=replace(SETTINGS, url="https://acme-status.example", name="Acme"))
    assert entries(moved).keys() == entries(acme.outage()).keys()


@BOTH
def test_a_feed_holds_the_fifty_that_changed_last_and_no_drills(render: Render) -> None:
    many = [incident(f"No. {rank}.", [update("resolved", "Over.", NOW - rank * DAY)]) for rank in range(60)]
    drill = incident("Rehearsal", [update("resolved", "Over.", NOW)], drill=True)
    body = render(view(incidents=[*many[::-1], drill])).decode()
    assert "Rehearsal" not in body
    assert body.index("No. 0.") < body.index("No. 49.")
    assert "No. 50." not in body


@BOTH
@pytest.mark.parametrize("title", ["", "a\x00b\x0bc\ufffe", "<b>&amp;</b> ]]>", "  "])
def test_no_text_makes_a_feed_unreadable(render: Render, title: str) -> None:
    told = incident(title, [update("investigating", f"{title}<script>x</script>", NOW - MINUTE)])
    root = parse(render(view(incidents=[told], settings=replace(SETTINGS, name=title + "Acme"))))
    [content] = [each.text for each in root.iter("description", "{*}content") if each.text and "<p>" in each.text]
    assert not html.fragment_fromstring(content, create_parent=True).xpath(".//script")


@BOTH
def test_the_same_view_gives_the_same_bytes(render: Render) -> None:
    assert render(acme.outage()) == render(acme.outage())
