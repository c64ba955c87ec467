"""Mail by SendGrid: one rendered body for a whole batch, what is each recipient's own beside it. Its failures are ``net.sendgrid``'s.

https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations: at most 1,000 personalizations a request, no
address twice. A member of a personalization may replace the request's own, so that all headers and arguments stand there.
Arguments are kept by SendGrid for good and are not treated as personal: they are ids and nothing else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from math import inf

import orjson

from consumers.delivery.channel import Message
from consumers.delivery.channels.email_personal import PersonalParts
from consumers.delivery.net.sendgrid import Answer, SendGridApi
from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.outcome import Outcome, Rejected, Retry, Scope
from consumers.delivery.render.mail_texts import MailTexts, Prepared, renders_alike, require_own_fitting, shared_headers
from consumers.delivery.render.words import words_of
from schemas.ids import random_id

MOST = 1_000
"""Recipients of one request."""
_MOST_REQUESTS = 40
"""How many requests a refused one may be taken apart into: enough to find two or three of a thousand."""
_ROUNDS = 4
"""After so many timeouts nothing new is begun: a call's time does not grow with its messages."""
_PATIENCE = 8
"""After so many timeouts an answer that dawdles is given up: connecting may take one for each address of the API."""
_TRACKING = {
    name: {"enable": False} for name in ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics")
}
"""Links lead where they say, nobody is watched, and whoever leaves does so here."""


@dataclass(slots=True)
class _Letter:
    """One message on its way: the address as it is written, and how it ended."""

    message: Message
    to: str
    outcome: Outcome | None = None


@dataclass(frozen=True)
class _Shared:
    """What all letters of a notice share: the request's body as JSON up to its personalizations, and how those are made."""

    body: bytes
    personal: PersonalParts


@dataclass
class _Round:
    """What is left to spend on one request and the parts that it may be taken apart into."""

    until: float = inf
    requests: int = _MOST_REQUESTS
    attempt: str = field(default_factory=random_id)


class SendGridMails:
    """Sends mails of one sender. ``connections`` is how many requests are made at once, ``timeout`` the API's, in seconds."""

    def __init__(self, api: SendGridApi, sender: Address, domain: str, *, connections: int, timeout: float) -> None:
        self._api = api
        self._from = {"email": sender.addr_spec} | ({"name": sender.display_name} if sender.display_name else {})
        self._domain = domain
        self._texts = MailTexts()
        self._shared: Prepared[_Shared] = Prepared()
        self._timeout = timeout
        self._calls = BlockingCalls("sendgrid", connections, _PATIENCE * timeout)
        self._free = asyncio.Semaphore(connections)

    async def send(self, mails: Sequence[tuple[Message, str]]) -> list[Outcome]:
        """Send messages, each to an address in ASCII; return how each ended, in their order."""
        ended: list[Outcome | _Letter] = [self._letter(message, to) for message, to in mails]
        until = asyncio.get_running_loop().time() + _ROUNDS * self._timeout
        batches = _batches([one for one in ended if isinstance(one, _Letter)])
        await asyncio.gather(*(self._deliver(batch, _Round(until)) for batch in batches))
        return [_outcome(one) for one in ended]

    async def close(self) -> None:
        """Let requests that are under way end."""
        await self._calls.close()

    def _letter(self, message: Message, to: str) -> _Letter | Outcome:
        try:
            require_own_fitting(message, self._domain)
        except ValueError as error:  # a link or an id that fits into no header
            return Rejected(Scope.MESSAGE, str(error))
        return _Letter(message, to)

    async def _deliver(self, letters: Sequence[_Letter], left: _Round) -> None:
        """Send letters with one request; one that is refused because of some of them is taken apart."""
        answer = await self._post(letters, left)
        if len(letters) == 1 or not answer.refuses_the_whole:
            _conclude(letters, answer)
            return
        faults = {complaint.index: complaint for complaint in answer.complaints}
        if None in faults:  # what all of them share
            _conclude(letters, answer)
            return
        accused = {index: fault for index, fault in faults.items() if index is not None and index < len(letters)}
        for index, fault in accused.items():
            scope = Scope.RECIPIENT if fault.is_address else Scope.MESSAGE
            letters[index].outcome = Rejected(scope, f"answered {answer.status} at {fault.field}")
        rest = [letter for index, letter in enumerate(letters) if index not in accused]
        middle = len(rest) if accused else len(rest) // 2
        for part in (rest[:middle], rest[middle:]):
            if part:
                await self._deliver(part, left)

    async def _post(self, letters: Sequence[_Letter], left: _Round) -> Answer:
        if left.requests <= 0:
            return Answer(Retry("refused together with others, and not yet tried apart"))
        if asyncio.get_running_loop().time() >= left.until:
            return Answer(Retry("no time was left for it"))
        left.requests -= 1
        shared = self._prepared(letters[0].message)
        try:
            async with asyncio.timeout_at(left.until):
                await self._free.acquire()
        except TimeoutError:
            return Answer(Retry("no connection became free"))
        answers: list[Answer] = []

        def post() -> Outcome:
            personal = shared.personal.encode([(letter.message, letter.to) for letter in letters], left.attempt)
            answers.append(self._api.post(shared.body + personal + b"}"))
            return answers[0].outcome

        try:
            outcome = await self._calls.run(post)
        finally:
            self._free.release()
        return answers[0] if answers else Answer(outcome)

    def _prepared(self, message: Message) -> _Shared:
        return self._shared.get(message, lambda: self._render(message))

    def _render(self, message: Message) -> _Shared:
        plain, rich = self._texts.render(message)
        headers = {"Auto-Submitted": "auto-generated"} | shared_headers(message, self._domain)
        body = {
            "from": self._from,
            "subject": words_of(message).headline,
            "content": [{"type": "text/plain", "value": plain}, {"type": "text/html", "value": rich}],
            "tracking_settings": _TRACKING,
        }
        personal = PersonalParts(message, headers, self._texts, self._domain)
        return _Shared(orjson.dumps(body)[:-1] + b',"personalizations":', personal)


def _batches(letters: Sequence[_Letter]) -> list[list[_Letter]]:
    """Return letters in requests: those of one say the same, go to different addresses, and keep their order."""
    if _are_one(letters):
        return [list(letters)]
    batches: list[tuple[list[_Letter], set[str]]] = []
    of_notice: dict[tuple[str, str], list[tuple[list[_Letter], set[str]]]] = {}
    for letter in letters:
        address = letter.to.lower()
        alike = of_notice.setdefault((letter.message.notice.kind, letter.message.notice.update), [])
        for batch, addresses in alike:
            if len(batch) < MOST and address not in addresses and renders_alike(batch[0].message, letter.message):
                batch.append(letter)
                addresses.add(address)
                break
        else:
            made = [letter], {address}
            alike.append(made)
            batches.append(made)
    return [batch for batch, _ in batches]


def _are_one(letters: Sequence[_Letter]) -> bool:
    """Return whether all letters may go with one request, seen at one look: mostly they may."""
    if not 0 < len(letters) <= MOST or len({letter.to.lower() for letter in letters}) < len(letters):
        return False
    first = letters[0].message
    return all(renders_alike(first, letter.message) for letter in letters)


def _conclude(letters: Sequence[_Letter], answer: Answer) -> None:
    outcome = answer.outcome
    if len(letters) == 1 and isinstance(outcome, Rejected) and any(fault.is_address for fault in answer.complaints):
        outcome = Rejected(Scope.RECIPIENT, outcome.reason)
    for letter in letters:
        letter.outcome = outcome


def _outcome(one: Outcome | _Letter) -> Outcome:
    if not isinstance(one, _Letter):
        return one
    assert one.outcome is not None, "every letter is in one batch"
    return one.outcome
