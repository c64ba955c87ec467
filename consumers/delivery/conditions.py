"""How the senders of a channel stand: what rests, what a limit holds back, which provider stands in. Pure; nobody is asked here.

A sender knows this of itself alone. The embedded engine asks the one that it has (``watch``); in a fleet each says it
where all can read it (``fleet_conditions``).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from schemas.events import Micros

LATELY: Micros = 60_000_000
"""For so long after a limit held something back it is said to do so: a sender that is held back asks every few seconds."""


class Rest(msgspec.Struct, frozen=True):
    """A channel, or one of its several providers, refused us ``refusals`` times in a row, since then.

    It is left alone until ``until``, and then tried with one message. ``provider`` is empty for the channel itself.
    """

    since: Micros
    until: Micros
    refusals: int
    reason: str
    provider: str = ""


class HeldBack(msgspec.Struct, frozen=True):
    """A limit (``account sender destination provider``) that held messages back, ``times`` since then and last at ``last``.

    ``until`` is when it lets some through again, 0 where each message waits for a time of its own.
    """

    limit: str
    since: Micros
    last: Micros
    times: int
    until: Micros = 0


class Condition(msgspec.Struct, frozen=True):
    """How one sender stands at ``at``. ``providers`` are the channel's, in their turn, where it has several."""

    channel: str
    at: Micros
    rests: tuple[Rest, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    providers: tuple[str, ...] = ()


class Conditions(Protocol):
    """Knows how senders stand. Blocks; raises StoreUnavailableError."""

    def all(self) -> Sequence[Condition]:
        """Return a condition for each sender that lives."""


class ChannelState(StrEnum):
    """How a channel stands: the worst of what its senders say."""

    SENDING = "sending"
    HELD_BACK = "held_back"
    FAILOVER = "failover"
    PROBING = "probing"
    RESTING = "resting"
    UNATTENDED = "unattended"


class Standing(NamedTuple):
    """How a channel stands, its senders taken together. ``stand_in`` is the provider that sends in the place of the first."""

    channel: str
    state: ChannelState
    senders: int
    rests: Sequence[Rest]
    held_back: Sequence[HeldBack]
    stand_in: str


def standing(channel: str, conditions: Iterable[Condition], now: Micros) -> Standing:
    """Return how a channel stands by what its senders say. A sender each has a breaker: one may rest while another sends."""
    mine = [one for one in conditions if one.channel == channel]
    rests = _merged_rests(rest for one in mine for rest in one.rests)
    held = _merged_held(each for one in mine for each in one.held_back if is_held(each, now))
    providers = next((one.providers for one in mine if one.providers), ())
    resting = {rest.provider for rest in rests}
    well = [name for name in providers if name not in resting]
    stand_in = well[0] if well and well[0] != providers[0] else ""
    return Standing(channel, _state(len(mine), rests, held, stand_in, now), len(mine), rests, held, stand_in)


def is_held(held: HeldBack, now: Micros) -> bool:
    """Whether a limit holds something back now, as far as its last word tells."""
    return now < held.until or now < held.last + LATELY


def _state(senders: int, rests: Sequence[Rest], held: Sequence[HeldBack], stand_in: str, now: Micros) -> ChannelState:
    if not senders:
        return ChannelState.UNATTENDED
    own = [rest for rest in rests if not rest.provider]
    if own:
        return ChannelState.RESTING if any(now < rest.until for rest in own) else ChannelState.PROBING
    if rests:
        return ChannelState.FAILOVER if stand_in else ChannelState.SENDING
    return ChannelState.HELD_BACK if held else ChannelState.SENDING


def _merged_rests(rests: Iterable[Rest]) -> list[Rest]:
    found: dict[str, Rest] = {}
    for rest in rests:
        other = found.get(rest.provider, rest)
        latest = max(rest, other, key=lambda one: one.until)
        found[rest.provider] = msgspec.structs.replace(
            latest, since=min(rest.since, other.since), refusals=max(rest.refusals, other.refusals)
        )
    return [found[provider] for provider in sorted(found)]


def _merged_held(held: Iterable[HeldBack]) -> list[HeldBack]:
    found: dict[str, HeldBack] = {}
    for one in held:
        other = found.get(one.limit)
        found[one.limit] = (
            one
            if other is None
            else HeldBack(
                one.limit,
                min(one.since, other.since),
                max(one.last, other.last),
                one.times + other.times,
                max(one.until, other.until),
            )
        )
    return [found[limit] for limit in sorted(found)]


_SAID: Mapping[ChannelState, str] = {
    ChannelState.SENDING: "sends",
    ChannelState.HELD_BACK: "is held back",
    ChannelState.FAILOVER: "is sent by another provider",
    ChannelState.PROBING: "is tried with one message after a rest",
    ChannelState.RESTING: "rests",
    ChannelState.UNATTENDED: "has no sender",
}


def sentence(found: Standing) -> str:
    """Return how a channel stands in one line for operators; it begins with its name."""
    parts = [f"{found.channel} {_SAID[found.state]}" + (f", {found.stand_in}" if found.stand_in else "")]
    parts += [_rest(rest) for rest in found.rests]
    parts += [_held(held) for held in found.held_back]
    return "; ".join(parts)


def note(found: Standing) -> str:
    """Return the same for whoever can reach the process: without what providers said."""
    until = max((rest.until for rest in found.rests), default=0)
    return f"{found.channel} {_SAID[found.state]}" + (f" until {_time(until)}" if until else "")


def _rest(rest: Rest) -> str:
    who = f"{rest.provider} rests" if rest.provider else "refused"
    count = "once" if rest.refusals == 1 else f"{rest.refusals} times in a row"
    return f"{who} since {_time(rest.since)}, {count}, to be tried at {_time(rest.until)}: {rest.reason}"


def _held(held: HeldBack) -> str:
    until = f", until {_time(held.until)}" if held.until else ""
    whose = "the provider's word" if held.limit == "provider" else f"the limit of the {held.limit}"
    return f"{whose} holds messages back since {_time(held.since)}{until}"


def _time(at: Micros) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
