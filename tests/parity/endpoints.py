"""Who subscribes in a history, and what senders do with what is planned for them."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from random import Random

from consumers.delivery.queue import Entry
from schemas import events as e
from schemas.events import DeliveryResult, EventData, Filter, Micros
from schemas.ids import derive
from schemas.vocabulary import DigestEvery, Impact, Kind, Suppression
from schemas.vocabulary import NotificationState as State
from tests.parity import world
from tests.parity.alerts import MINUTE
from tests.parity.embedded import CHANNELS

_ENDS = (
    *[State.SENT] * 8, State.FAILED, State.SUPPRESSED, State.IN_DOUBT, *[State.PLANNED] * 3, State.SUPERSEDED,
    State.DELIVERED, State.CLAIMED,
)  # fmt: skip
_WORKERS = ("ann", "bob", "cy")


class Subscribers:
    """The subscribers of one page."""

    def __init__(self, random: Random, page: str) -> None:
        self._random = random
        self._page = page
        self._ids: list[str] = []

    def join(self) -> EventData:
        """Return a sign-up of somebody new."""
        random, number = self._random, len(self._ids)
        # Most ids are as they are made, some are not hexadecimal: their shard is found in another way.
        name = derive("subscriber", self._page, str(number)) if number % 7 else f"{self._page}-zoe-{number}"
        self._ids.append(name)
        sealed = f"sealed {number}".encode()
        confirmed = random.random() < 0.7
        return e.SubscriberAdded(
            name, random.choice(CHANNELS), sealed, self._filter(), confirmed, "public", world.audience(random)
        )

    def move(self) -> tuple[str, EventData]:
        """Return what somebody does, or is done to."""
        random = self._random
        name = random.choice(self._ids) if self._ids and random.random() < 0.97 else "nobody"
        match random.randrange(13):
            case 0 | 1 | 2:
                return name, e.SubscriberConfirmed(name)
            case 3 | 4 | 5 | 6:
                return name, e.SubscriberChanged(name, self._filter())
            case 7:
                return name, self._of_the_address(name)
            case 8:
                return name, e.SubscriberRemoved(name, random.choice(["unsubscribed", "erased", "replaced"]))
            case 9:
                return name, e.SubscriberPaused(name, random.random() < 0.6)
            case 10:
                return name, e.PaceChosen(name, self._pace())
            case 11:
                return name, e.AudienceAssigned(name, world.audience(random))
            case _:
                return name, e.ConfirmationRequested(name, derive("attempt", name, str(random.random())))

    def _of_the_address(self, name: str) -> EventData:
        random = self._random
        if random.random() < 0.6:
            return e.EndpointSuppressed(name, "the address does not exist", random.choice(list(Suppression)))
        return e.EndpointReinstated(name, "it is back", random.sample(list(Suppression), 4))

    def _pace(self) -> e.Pace:
        random = self._random
        quiet = e.QuietHours(random.randrange(720), random.randrange(720, 1_440), "Europe/Berlin")
        digest = e.Digest(random.choice(list(DigestEvery)), random.randrange(1_440), "UTC")
        return e.Pace(
            random.choice([None, quiet]), random.choice([None, digest]), random.choice([0, 600]), random.random() < 0.8
        )

    def _filter(self) -> Filter:
        random = self._random
        cells = None if random.random() < 0.4 else random.sample(world.CELLS, random.randint(0, 4))
        kinds = [kind for kind in Kind if random.random() < 0.8]
        return Filter(cells, random.choice(list(Impact)), kinds)


class Senders:
    """All senders: what they claim, and how that ends."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._hands: list[tuple[str, Entry]] = []

    def work(self, waiting: Sequence[Entry], now: Micros) -> list[tuple[str, list[EventData]]]:
        """Return by page what is said, each list under one key of the log and in its order."""
        random = self._random
        by_key = attrgetter("page", "shard")
        chosen = [entry for entry in waiting if random.random() < 0.7]
        found: list[tuple[str, list[EventData]]] = []
        for (page, shard), entries in groupby(sorted(chosen, key=by_key), by_key):
            some = list(entries)
            said: list[EventData] = []
            for worker in random.sample(_WORKERS, random.choice([1, 1, 1, 2])):  # two at once: the first one has it
                ids = [entry.notification for entry in some]
                said.append(e.NotificationsClaimed(worker, shard, ids))
                self._hands += [(worker, entry) for entry in some]
            said += self._results(page, shard, now)
            found.append((page, said))
        return found

    def _results(self, page: str, shard: int, now: Micros) -> list[EventData]:
        """Return how some of what is in hand under this key ended; the rest is recorded another time."""
        random = self._random
        done: list[tuple[str, Entry]] = []
        kept: list[tuple[str, Entry]] = []
        for each in self._hands:
            here = (each[1].page, each[1].shard) == (page, shard)
            (done if here and random.random() < 0.8 else kept).append(each)
        self._hands = kept
        found: list[EventData] = []
        for worker, hands in groupby(done, lambda pair: pair[0]):
            results = [self._result(entry, now) for _, entry in hands]
            # A stranger may speak in the name of one who is gone.
            said_by = worker if random.random() < 0.9 else random.choice(_WORKERS)
            found.append(e.DeliveriesRecorded(said_by, shard, results))
        if done and random.random() < 0.3:
            again = sorted({entry.notification for _, entry in done if random.random() < 0.5})
            found.append(e.NotificationsRedriven(shard, again, random.random() < 0.5))
        return found

    def _result(self, entry: Entry, now: Micros) -> DeliveryResult:
        state = self._random.choice(_ENDS)
        again = self._random.choice([None, now + self._random.randrange(10 * MINUTE)])
        retry = again if state in (State.PLANNED, State.IN_DOUBT) else None
        attempted = state is not State.PLANNED or self._random.random() < 0.5
        soft = state is State.FAILED and self._random.random() < 0.7
        return DeliveryResult(entry.notification, state, f"said {state}", retry, attempted, soft)
