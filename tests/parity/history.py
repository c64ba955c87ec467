"""Tells a history round by round, from a seed and from what the embedded engine knows; it compares nothing.

Between rounds both engines come to rest. Within one, a page has one chain of causes: an alert that moves the page, or
a command, or a timer that is due, or subscriptions. A fleet promises no order between two of them, so what two would
come to is not one answer. Everything else may race: pages with each other, repeats that change nothing, deliveries.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from schemas.events import AnyEvent, Event, EventData, Micros
from schemas.ids import derive
from streams.domain.episodes import EPISODES, Instance
from streams.domain.pages import PAGES
from streams.runtime.embedded import timer_event
from tests.builders.views import NOW
from tests.parity import world
from tests.parity.alerts import MINUTE, SECOND, Monitors, effect_of
from tests.parity.embedded import EmbeddedEngine, Wish
from tests.parity.endpoints import Senders, Subscribers
from tests.parity.people import Operators
from tests.parity.telling import Round, Said

_FIRST_SUBSCRIBERS = 9
_MOST_WAITING = 60
_TRIES = 6
_PROCESSORS = {processor.name: processor for processor in (EPISODES, PAGES)}
Known = Mapping[str, Instance]


class Teller:
    """One page's monitors, operators and subscribers."""

    def __init__(self, random: Random, page: str) -> None:
        self.page = page
        self.monitors = Monitors(random, page)
        self.operators = Operators(random, page)
        self.subscribers = Subscribers(random, page)
        self.said: dict[str, Said] = {}
        """What may be said again, after whatever: commands by their ids, and of each alert instance what was said last.

        An alert behind younger ones of its instance is another matter: whoever repeats it was judged anew, by what is
        known then, and says something else.
        """


class History:
    """A seeded walk. ``counts`` says what was told, by type; duplicates have names of their own."""

    def __init__(self, seed: int, pages: int, engine: EmbeddedEngine) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.now: Micros = NOW
        self._random = Random(seed)
        self._engine = engine
        self._tellers = [Teller(self._random, world.page_id(number)) for number in range(pages)]
        self._senders = Senders(self._random)
        self._events = 0
        self._fired: list[Said] = []

    def beginning(self) -> Round:
        """Define all pages, and let the first subscribers come."""
        chains: list[list[Said]] = []
        for teller in self._tellers:
            data = list(world.catalogue(self._random, teller.page))
            chains.append([Said(self._event(teller.page, each, "config")) for each in data])
        return self._round(chains)

    def first_subscribers(self) -> Round:
        """Let people subscribe, of whom the pages know nothing yet."""
        joined = [(each.page, each.subscribers.join()) for each in self._tellers for _ in range(_FIRST_SUBSCRIBERS)]
        return self._round([[self._command(page, data, "subscriber:new")] for page, data in joined])

    def _next_moment(self) -> Micros:
        """Return when the next round is: some time later, but before any page has a second timer due."""
        target = self.now + self._random.choice([SECOND, 10 * SECOND, MINUTE, 4 * MINUTE])
        first: dict[str, Micros] = {}
        for wish in self._engine.wishes():
            if wish.page in first:
                assert wish.due > first[wish.page], f"two timers of {wish.page} are due at once: {wish}"
                target = min(target, wish.due - 1)
            else:
                first[wish.page] = wish.due
        return max(target, self.now + 1)

    def next_round(self) -> Round:
        """Tell what happens some time later; the timers that are due then fire by themselves."""
        now = self._next_moment()
        due = {wish.page: wish for wish in self._engine.wishes() if wish.due <= now}
        self.now = now
        known = self._engine.instances()
        chains: list[list[Said]] = []
        for teller in self._tellers:
            busy: set[str] = set()
            if (wish := due.get(teller.page)) is None:
                chains += self._chains(teller, known[teller.page], busy)
            else:
                self._note_timer(wish)
                busy.add(wish.timer.partition(":")[2])
            chains += self._silent(teller, known[teller.page], busy)
        for page, data in self._senders.work(self._engine.waiting(now, _MOST_WAITING), now):
            chains.append([self._maybe_twice(self._event(page, each, "tocsin")) for each in data])
        return self._round(chains)

    # --- one page's chain ---

    def _chains(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        ways: Sequence[Callable[..., list[list[Said]]]] = [
            *[self._alert] * 11, *[self._told] * 5, *[self._moved] * 2, self._defined, *[self._again] * 2,
        ]  # fmt: skip
        return self._random.choice(ways)(teller, known, busy)

    def _alert(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        for _ in range(_TRIES):
            key = self._random.choice(teller.monitors.keys)
            event = teller.monitors.say(key, known, self.now)
            if event is not None:
                busy.add(key)
                return [[self._alerted(teller, known, key, event)]]
        return []

    def _alerted(self, teller: Teller, known: Known, key: str, event: AnyEvent) -> Said:
        said = self._maybe_twice(event)
        teller.monitors.note(event)
        teller.said.pop(key, None)
        # What came to nothing when it was first said may come to something later: it is not said twice then.
        if not effect_of(teller.page, known, event).ignored:
            teller.said[key] = said
        return said

    def _told(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        view = self._engine.view(teller.page)
        assert view is not None, "the page was defined"
        drill = self._random.random() < 0.05
        said = self._command(teller.page, teller.operators.say(view, self.now), "operator:ada", drill=drill)
        teller.said[said.event.id] = said
        return [[said]]

    def _moved(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        moved = dict(teller.subscribers.move() for _ in range(self._random.randint(1, 4)))
        chains = [[self._command(teller.page, data, f"subscriber:{name}")] for name, data in moved.items()]
        if self._random.random() < 0.5:
            chains.append([self._command(teller.page, teller.subscribers.join(), "subscriber:new")])
        return chains

    def _defined(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        view = self._engine.view(teller.page)
        assert view is not None, "the page was defined"
        return [[self._maybe_twice(self._event(teller.page, teller.operators.defines(view), "config"))]]

    def _again(self, teller: Teller, known: Known, busy: set[str]) -> list[list[Said]]:
        """Say something again, after all that came since."""
        if self._random.random() < 0.2 and (fired := [one for one in self._fired if one.event.page == teller.page]):
            self.counts["a timer again"] += 1
            return [[self._random.choice(fired)]]
        if not teller.said:
            return []
        said = self._random.choice(list(teller.said.values()))
        self.counts[f"{said.event.type} again"] += 1
        busy.update(teller.monitors.keys)
        return [[said]]

    def _silent(self, teller: Teller, known: Known, busy: set[str]) -> Iterator[list[Said]]:
        """Yield alerts that change nothing on the page, each of another instance."""
        for _ in range(self._random.randint(0, 3)):
            key = self._random.choice(teller.monitors.keys)
            if key in busy:
                continue
            event = teller.monitors.say(key, known, self.now)
            if event is not None and effect_of(teller.page, known, event).silent:
                busy.add(key)
                yield [self._alerted(teller, known, key, event)]

    # --- events ---

    def _note_timer(self, wish: Wish) -> None:
        self.counts["TimerFired"] += 1
        processor = _PROCESSORS[wish.stage]
        at = processor.topics[0], processor.timer_key(wish.page, wish.timer)
        self._fired.append(Said(timer_event(wish.stage, wish.page, wish.timer, wish.due, self.now), at=at))
        for teller in self._tellers:
            if teller.page == wish.page:
                # What fires once its lease has run out opens anew, and so would a copy, of which only one log knows the id.
                teller.said.pop(wish.timer.removeprefix("lease:"), None)

    def _event(self, page: str, data: EventData, actor: str, *, drill: bool = False) -> AnyEvent:
        self._events += 1
        random = self._random
        late = random.choice([0, 0, random.randrange(20 * MINUTE), random.randrange(-MINUTE, 48 * 60 * MINUTE)])
        identifier = derive("parity", str(self.seed), str(self._events))
        return Event(identifier, page, self.now - late, self.now, actor, None, None, drill, data)

    def _command(self, page: str, data: EventData, actor: str, *, drill: bool = False) -> Said:
        return Said(self._event(page, data, actor, drill=drill), remembered=True)

    def _maybe_twice(self, event: AnyEvent) -> Said:
        return Said(event, times=2 if self._random.random() < 0.03 else 1)

    def _round(self, chains: list[list[Said]]) -> Round:
        # What lies under one key keeps its order; all else is dealt anew.
        together: dict[tuple[str, str], list[Said]] = defaultdict(list)
        for chain in chains:
            for said in chain:
                self.counts[said.event.type] += 1
                self.counts["doubled at once"] += said.times > 1
                together[said.record.topic, said.record.key].append(said)
        dealt = list(together.values())
        self._random.shuffle(dealt)
        return Round(self.now, dealt)
