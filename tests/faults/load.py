"""Those who use a fleet while it is in trouble: the senders of the kill tests, slower, and people who come and go."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.smtp import Mail
from tests.kill import load
from tests.parts.tocsin import PAGE

_CONFIRM = re.compile(r"http://\S+/confirm/\S+")
_LEAVE = re.compile(rb"\r\nList-Unsubscribe: <([^>]+)>\r\n")
_TOO_MANY = 429


class Monitor(load.Monitor):
    """As it is, but that all of this shares two cores."""

    pauses = (0.4, 1.6)


class Operator(load.Operator):
    """As it is, but slower."""

    pauses = (0.5, 2.0)


@dataclass
class Person:
    """Somebody who signed up. Times are microseconds since 1970, None for what was not answered."""

    address: str
    subscriber: str = ""
    began_to_confirm: int | None = None
    confirmed: int | None = None
    left: int | None = None


class Crowd(load.Sender):
    """People who sign up by mail: many confirm, and some of those leave again. ``mails`` are all that anybody got."""

    pauses = (3.0, 8.0)

    def __init__(self, url: str, seed: int, number: int, mails: Callable[[], list[Mail]]) -> None:
        super().__init__(url, seed, number)
        self.people: list[Person] = []
        self._mails = mails

    def act(self) -> None:
        match self.random.random():
            case chance if chance < 0.5:
                self._sign_up()
            case chance if chance < 0.85:
                self._confirm()
            case _:
                self._leave()

    def finish(self) -> None:
        """Whoever did not confirm does not."""

    def _sign_up(self) -> None:
        person = Person(f"crowd-{self.number}-{len(self.people)}@example.com")
        headers = {"Idempotency-Key": person.address}
        wanted: dict[str, Any] = {"email": person.address}
        answer = self._ask(f"/api/v1/pages/{PAGE}/subscribers", wanted, headers)
        if answer is not None:
            person.subscriber = answer["id"]
            self.people.append(person)

    def _confirm(self) -> None:
        for person in self.people:
            found = next((mail for mail in self._mails() if mail.recipients == (person.address,)), None)
            if person.began_to_confirm is None and found is not None:
                person.began_to_confirm = _now()
                [link] = _CONFIRM.findall(found.text())[:1]
                if self._ask(urlsplit(link).path, None, {}) is not None:
                    person.confirmed = _now()
                return

    def _leave(self) -> None:
        staying = [person for person in self.people if person.confirmed is not None and person.left is None]
        if staying:
            person = self.random.choice(staying)
            mail = next(mail for mail in self._mails() if mail.recipients == (person.address,))
            [link] = _LEAVE.findall(mail.raw)
            if self._ask(urlsplit(link.decode()).path, None, {}) is not None:
                person.left = _now()

    def _ask(self, path: str, document: Any, headers: dict[str, str]) -> dict[str, Any] | None:
        answer = self.insist(path, document, {"Accept": "application/json", **headers}, fine=(_TOO_MANY, 303))
        if answer.status_code == _TOO_MANY:
            return None
        found: dict[str, Any] = answer.json() if answer.content and answer.is_success else {}
        return found


def _now() -> int:
    return time.time_ns() // 1000
