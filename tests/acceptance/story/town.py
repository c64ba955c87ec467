"""A running Tocsin with a mail server and seven readers, and what each of them heard of since a moment.

Nothing here knows what should be heard: that is for the chapters to say.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from tests.builders.alertmanager import Alert, body
from tests.fakes.smtp import FakeSmtpServer, Mail
from tests.parts.processes import wait_for
from tests.parts.tocsin import Tocsin

Install: TypeAlias = Callable[[Path, str, Mapping[str, str]], Tocsin]
"""Makes an installation in a folder, of a configuration, with an environment: on one engine or the other."""

READERS: dict[str, dict[str, Any]] = {
    "api-eu": {"cells": [{"component": "api", "region": "eu"}]},
    "api-us": {"cells": [{"component": "api", "region": "us"}]},
    "platform-us": {"cells": [{"component": "platform", "region": "us"}]},
    "payments": {"cells": [{"component": "payments"}]},
    "everything": {},
    "critical": {"min_impact": "critical"},
    "maintenance": {"kinds": ["maintenance"]},
}
Heard = Counter[tuple[str, str]]
"""How often whom reached which subject; readers by name, subjects without the page's name and without times."""
_PAGE, _TIME = re.compile(r"^\[Acme Cloud\] "), re.compile(r"\bby [0-9:]+ \w+")
_SENTINEL = "sentinel"
_ENDED = {"sent", "delivered", "failed", "suppressed", "superseded", "in_doubt"}


class Town:
    """The world of the story. ``mark`` is the moment since which mails are counted."""

    def __init__(self, tocsin: Tocsin, mailbox: FakeSmtpServer) -> None:
        self.tocsin = tocsin
        self.mailbox = mailbox
        self.mark = 0
        self._sentinels = 0

    def settle(self) -> None:
        """Give every reader a subscription that an operator vouches for."""
        for name, wanted in READERS.items():
            answer = self.tocsin.post("subscribers", {"email": address_of(name), "confirmed": True, **wanted}, by="ops")
            assert answer.status_code == 201, answer.text

    def fires(self, *alerts: Alert) -> dict[str, Any]:
        """Let Alertmanager post a group of alerts, and return the answer."""
        answer = self.tocsin.ingest("prom", body(alerts), "prom-secret")
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def is_quiet(self) -> bool:
        """Whether nothing is open: no incident, maintenance or draft."""
        summary = self.tocsin.http.get("/api/v2/summary.json").json()
        return not (summary["incidents"] or summary["scheduled_maintenances"] or self.tocsin.get("drafts"))

    def begin(self) -> None:
        """Count mails from now on; nothing of before may come later."""
        self.wait_until_quiet()
        self.mark = len(self.mailbox.mails)

    def heard(self) -> Heard:
        """Return who got which mails since the mark, once no more can come."""
        self.wait_until_quiet()
        return Counter(map(heading, self.mails()))

    def mails(self, name: str = "") -> list[Mail]:
        """Return the mails since the mark, but for the sentinels': all, or those of one reader."""
        found = [mail for mail in self.mailbox.mails[self.mark :] if _SENTINEL not in mail.recipients[0]]
        return [mail for mail in found if not name or mail.recipients == (address_of(name),)]

    def wait_until_quiet(self) -> None:
        """Return once a mail that was asked for now has come, and every planned notification has ended.

        What was said before is planned before, and so all of it is out by then.
        """
        self._sentinels += 1
        address = f"{_SENTINEL}-{self._sentinels}@example.com"
        assert self.tocsin.post("subscribers", {"email": address}, by="ops").status_code == 201
        wait_for("the sentinel's mail", lambda: any(mail.recipients == (address,) for mail in self.mailbox.mails))
        wait_for("an end of all notifications", lambda: not unfinished(self.tocsin.events()))

    def incident(self, title: str) -> dict[str, Any]:
        """Return the newest incident of this title as the public sees it."""
        return next(found for found in self.tocsin.incidents() if found["title"] == title)

    def statuses(self) -> dict[str, str]:
        """Return the status of every component, by its name, as the Statuspage API v2 shows it."""
        answer = self.tocsin.http.get("/api/v2/components.json")
        return {component["name"]: component["status"] for component in answer.json()["components"]}

    def types(self, since: int = 0) -> list[str]:
        """Return the types of the events on the log."""
        return [event["type"] for event in self.tocsin.events()[since:]]


def address_of(name: str) -> str:
    """Return the address of a reader."""
    return f"{name}@example.com"


def heading(mail: Mail) -> tuple[str, str]:
    """Return whom a mail reached and its subject."""
    [recipient] = mail.recipients
    assert mail.message["To"] == recipient
    subject = _PAGE.sub("", str(mail.message["Subject"]))
    return recipient.removesuffix("@example.com"), _TIME.sub("by ...", subject)


def told(subject: str, *names: str) -> Heard:
    """Return that each of these was told of this once."""
    return Counter((name, subject) for name in names)


def unfinished(events: Sequence[dict[str, Any]]) -> int:
    """Return how many planned notifications have not ended yet, by the audit log alone."""
    planned = sum(len(event["data"]["recipients"]) for event in events if event["type"] == "NotificationsPlanned")
    last = {
        result["notification"]: result
        for event in events
        if event["type"] == "DeliveriesRecorded"
        for result in event["data"]["results"]
    }
    ended = sum(result["state"] in _ENDED and result["retry_at"] is None for result in last.values())
    return planned - ended


@contextmanager
def town(folder: Path, configuration: str, install: Install) -> Iterator[Town]:
    """Run a Tocsin of this configuration, with its readers."""
    with FakeSmtpServer() as mailbox, install(folder, configuration, {"SMTP_URL": mailbox.url}) as tocsin:
        made = Town(tocsin, mailbox)
        made.settle()
        yield made
        assert not mailbox.violations
