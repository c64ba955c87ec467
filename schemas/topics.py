"""The topics of the log: who travels where, and under which key order is kept."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from zlib import crc32

from schemas import events as e
from schemas.events import AnyEvent, EventData

DEFAULT_PARTITIONS = 8
SHARDS = 64
"""Plans and deliveries of one page are spread over this many keys, by their subscribers."""
_SHARD_BITS = 6
_PREFIX = itemgetter(slice(2))
_SHARD_OF_PREFIX = {f"{number:02x}": number >> (8 - _SHARD_BITS) for number in range(256)}


@dataclass(frozen=True)
class Topic:
    """One topic. ``retention_days=None`` keeps it for ever; no topic of the truth is compacted."""

    name: str
    partitions: int
    types: tuple[type[EventData], ...]
    retention_days: int | None = None


ALERTS = Topic("tocsin.alerts", DEFAULT_PARTITIONS, (e.AlertReceived, e.AlertRefreshed, e.TimerFired))
PAGES = Topic(
    "tocsin.pages",
    DEFAULT_PARTITIONS,
    (
        e.PageDefined, e.RegionsDefined, e.ComponentDefined, e.ComponentRemoved, e.SourceDefined, e.SourceRemoved,
        e.RulesDefined, e.TemplateDefined, e.TemplateRemoved, e.EpisodeOpened, e.EpisodeChanged, e.EpisodeClosed,
        e.DraftWritten, e.DraftRevised, e.DraftApproved, e.DraftDismissed, e.DraftWithdrawn, e.IncidentOpened,
        e.IncidentUpdated, e.IncidentCellsChanged, e.CellStatusChanged, e.PromiseReminded, e.MaintenanceScheduled, e.MaintenanceUpdated,
        e.TimerFired,
    ),
)  # fmt: skip
SUBSCRIPTIONS = Topic(
    "tocsin.subscriptions",
    DEFAULT_PARTITIONS,
    (
        e.SubscriberAdded, e.SubscriberConfirmed, e.ConfirmationRequested, e.SubscriberChanged, e.SubscriberPaused,
        e.PaceChosen, e.AudienceAssigned,
        e.SubscriberRemoved, e.EndpointSuppressed, e.EndpointReinstated,
    ),
)  # fmt: skip
NOTIFICATIONS = Topic("tocsin.notifications", DEFAULT_PARTITIONS, (e.NoticePublished, e.NotificationsPlanned))
DELIVERIES = Topic(
    "tocsin.deliveries", DEFAULT_PARTITIONS, (e.NotificationsClaimed, e.DeliveriesRecorded, e.NotificationsRedriven)
)
DEADLETTERS = Topic("tocsin.deadletters", DEFAULT_PARTITIONS, (e.DeadLettered, e.DeadLetterRedriven), retention_days=30)

TOPICS: tuple[Topic, ...] = (ALERTS, PAGES, SUBSCRIPTIONS, NOTIFICATIONS, DELIVERIES, DEADLETTERS)
TOPIC_OF_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}


def partition_of(key: str, partitions: int) -> int:
    """Map a key to its partition: CRC-32 of its UTF-8 bytes, so that every engine and language agrees."""
    return crc32(key.encode()) % partitions


def shard_of(subscriber: str) -> int:
    """Return the shard of all that concerns one subscriber's endpoint: plans, claims and results keep one order.

    It is the top six bits of an id that begins with two lowercase hex digits, so that sorted ids are sorted by shard
    too; of any other the CRC-32 of its UTF-8 bytes modulo 64.
    """
    shard = _SHARD_OF_PREFIX.get(subscriber[:2])
    return crc32(subscriber.encode("utf-8", "surrogatepass")) % SHARDS if shard is None else shard


def by_shard(subscribers: Iterable[str]) -> dict[int, list[str]]:
    """Return the ids of each shard, in the order given; quick where they are sorted."""
    found: dict[int, list[str]] = defaultdict(list)
    for prefix, some in groupby(subscribers, key=_PREFIX):
        shard = _SHARD_OF_PREFIX.get(prefix)
        if shard is None:
            for one in some:
                found[shard_of(one)].append(one)
        else:
            found[shard] += some
    return found


def instance_key(page: str, source: str, fingerprint: str) -> str:
    """The key of an alert instance on ``tocsin.alerts``."""
    return f"{page}/{source}/{fingerprint}"


def route(event: AnyEvent) -> tuple[str, str]:
    """Return the topic and the key of an event that is not a timer (a timer's topic is its processor's)."""
    page, data = event.page, event.data
    match data:
        case e.AlertReceived() | e.AlertRefreshed():
            return ALERTS.name, instance_key(page, data.source, data.fingerprint)
        case (
            e.SubscriberAdded() | e.SubscriberConfirmed() | e.ConfirmationRequested() | e.SubscriberChanged()
            | e.SubscriberPaused() | e.PaceChosen() | e.AudienceAssigned() | e.SubscriberRemoved() | e.EndpointSuppressed() | e.EndpointReinstated()
        ):  # fmt: skip
            return SUBSCRIPTIONS.name, f"{page}/{data.subscriber}"
        case e.NoticePublished(notice=notice):
            # By subject: what there is to tell of one incident is planned in its order, by one worker.
            return NOTIFICATIONS.name, f"{page}/{notice.subject_id}"
        case e.NotificationsPlanned():
            return NOTIFICATIONS.name, f"{page}/{data.shard}"
        case e.NotificationsClaimed() | e.DeliveriesRecorded() | e.NotificationsRedriven():
            return DELIVERIES.name, f"{page}/{data.shard}"
        case e.DeadLettered() | e.DeadLetterRedriven():
            return DEADLETTERS.name, f"{page}/{data.source}"
        case _:
            return PAGES.name, page
