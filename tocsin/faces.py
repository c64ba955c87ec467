"""The faces of a running Tocsin, whichever engine stands behind them: who may use it, what the web is given.

It wires what both engines have in common and opens nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consumers.delivery.channel import Channel, ConfirmBy
from consumers.delivery.channel_report import ChannelReport
from consumers.delivery.conditions import Conditions
from consumers.delivery.history import History
from consumers.delivery.queue import DeliveryQueue
from consumers.delivery.reports import Addresses, AudienceReport, DeliveryReport, SubscriberReport
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscriber_export import SubscriberExport
from consumers.delivery.subscribers import ACTIVE, Subscriber
from consumers.delivery.why import WhyReport
from consumers.projection.board import StatusBoard
from consumers.reliability.past import PastReader
from consumers.reliability.reader import UptimeReader
from consumers.web import ports
from consumers.web.dependencies import WebDependencies
from consumers.web.pictures import PublicPictures
from consumers.web.prepared import PreparedBodies
from consumers.web.public import recipes
from consumers.web.render.assets import Assets
from consumers.web.render.offers import Offer, Offers
from consumers.web.render.page import Pages
from consumers.web.sse import ChangeStream
from producers.commands.deps import AT_ONCE, Door, Known, KnownOf
from producers.receipts.deps import Listening
from producers.receipts.receipt import Opening
from producers.receipts.registry import RECEIPT_KIND_OF_NAME
from streams.runtime.access import Access, Operator, Role, digest
from streams.runtime.clock import Clock
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.secrets import SourceToken, SourceTokens
from tocsin.config import Config

_BROWSERS = "webpush"
"""Its addresses are made by browsers; nobody types one."""


@dataclass(frozen=True)
class Reading:
    """What the web reads, by engine."""

    board: StatusBoard
    past: PastReader
    queue: DeliveryQueue
    subscribers: SubscriberBook
    history: History
    unrouted: ports.Unrouted
    readiness: ports.Readiness
    events: ports.EventPages
    conditions: Conditions
    notes: ports.Notes = list


def access_of(config: Config) -> Access:
    """Return who may use the API."""
    return Access(
        (Operator(operator.name, Role[operator.role.name]), operator.token.get_secret_value())
        for operator in config.operators
    )


def sources_of(config: Config) -> SourceTokens:
    """Return which monitors may post alerts."""
    return SourceTokens(
        tuple(
            SourceToken(
                config.page.id,
                source.id,
                source.kind,
                tuple(digest(secret.get_secret_value()) for secret in source.secrets),
            )
            for source in config.sources
        )
    )


def listening_of(config: Config) -> tuple[Listening, ...]:
    """Return whose receipts are listened to: what the settings of channels name."""
    page, base = config.page.id, str(config.page.url).rstrip("/")
    return tuple(
        Listening(page, name, kind, kind.open(Opening(name, f"{base}/receipts/{page}/{kind.name}", keys)))
        for name, settings in config.channels.items()
        for kind, keys in ((RECEIPT_KIND_OF_NAME[kind], keys) for kind, keys in settings.receipts().items())
    )


def doors_of(channels: Mapping[str, Channel]) -> dict[str, Door]:
    """Return the channels as sign-ups meet them."""
    return {
        name: Door(
            channel.validate,
            by_operator=channel.capabilities.confirm_by in (ConfirmBy.OPERATOR, ConfirmBy.CODE),
            codes_a_day=channel.capabilities.codes_a_day,
            country=_country_of,
            posts_publicly=channel.capabilities.posts_publicly,
        )
        for name, channel in channels.items()
    }


def known_by(find: Callable[[str, str], Subscriber | None]) -> KnownOf:
    """Return what commands are told of a subscriber that ``find`` looks up."""

    def known(page: str, subscriber: str) -> Known | None:
        found = find(page, subscriber)
        return (
            None
            if found is None
            else Known(
                channel=found.channel,
                is_active=found.state == ACTIVE,
                filter=found.filter,
                state=found.state,
                suppression=found.suppression,
                pace=found.pace or AT_ONCE,
                audience=found.audience,
            )
        )

    return known


def _country_of(number: str) -> str:
    from consumers.delivery.phones import country_of  # noqa: PLC0415 -- only those who switch numbers on pay for the import

    return country_of(number)


def offers_of(channels: Mapping[str, Channel]) -> Offers:
    """Return what the page's forms offer: the channels on which people add themselves."""
    asked = {
        name: channel.capabilities
        for name, channel in channels.items()
        if channel.capabilities.confirm_by in (ConfirmBy.LINK, ConfirmBy.CHALLENGE)
    }
    others = [
        Offer(name, able.title, able.address_hint)
        for name, able in asked.items()
        if name not in ("email", "webhook", _BROWSERS)
    ]
    phone = channels.get("sms")
    takes = phone is not None and phone.capabilities.confirm_by is ConfirmBy.CODE
    example = phone.capabilities.address_hint if phone is not None and takes else ""
    browser_key = next((able.browser_key for able in asked.values() if able.browser_key), "")
    return Offers("email" in asked, "webhook" in asked, others, example, browser_key)


def web_of(
    page: str,
    reading: Reading,
    access: Access,
    addresses: Addresses,
    links: Links,
    clock: Clock,
    metrics: Metrics,
    channels: Mapping[str, Channel] = MappingProxyType({}),
) -> WebDependencies:
    """Return everything that the way out needs."""
    assets = Assets.load()
    pages = Pages(assets.url, offers_of(channels))
    uptime = UptimeReader(reading.past)
    board, subscribers = reading.board, reading.subscribers
    public = PublicPictures(board)
    titles = {name: channel.capabilities.title for name, channel in channels.items()}
    return WebDependencies(
        page=page,
        board=board,
        access=access,
        clock=clock,
        metrics=metrics,
        assets=assets,
        pages=pages,
        public=public,
        bodies=PreparedBodies(public, page, recipes(pages, uptime), clock=clock, metrics=metrics),
        stream=ChangeStream(board, metrics),
        uptime=uptime,
        audience=AudienceReport(subscribers, addresses),
        deliveries=DeliveryReport(reading.queue, subscribers, addresses),
        subscribers=SubscriberReport(subscribers, addresses),
        export=SubscriberExport(subscribers, addresses),
        reasons=WhyReport(reading.queue, subscribers, reading.history, addresses),
        unrouted=reading.unrouted,
        channels=ChannelReport(titles, reading.conditions, reading.queue, clock),
        readiness=reading.readiness,
        events=reading.events,
        links=links,
        notes=reading.notes,
    )
