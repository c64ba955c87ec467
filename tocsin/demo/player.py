"""Plays the recording against a running server, through the same doors as everybody: webhooks and the command API.

It knows nothing of the server's inside. Whether the right people were told is read off the mailbox.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

from schemas.ids import random_id
from tocsin.client import ApiClient, path_of
from tocsin.demo.catcher import Mailbox
from tocsin.demo.narrator import Narrator
from tocsin.demo.recording import AnyStep, Approve, Person, Post, Recording, Shift, Update

PATIENCE = 15.0
"""Seconds that mails, drafts and incidents are waited for before the demo says that they did not come."""
_TICK = 0.2


class DemoError(Exception):
    """The demo did not go as recorded; the message says how."""


@dataclass(frozen=True)
class Desks:
    """Who speaks to the server: monitors without an operator's token, an operator, and one who may approve."""

    monitors: ApiClient
    operator: ApiClient
    approver: ApiClient


class Player:
    """Plays one recording on one page. ``stop`` ends it early; ``play`` then returns False."""

    def __init__(
        self, recording: Recording, page: str, desks: Desks, source_tokens: Mapping[str, str], mailbox: Mailbox
    ) -> None:
        self._recording = recording
        self._page = page
        self._desks = desks
        self._source_tokens = source_tokens
        self._mailbox = mailbox
        self._expected: Counter[str] = Counter()
        self._email = {person.name: person.email for person in recording.cast}
        self._run = random_id()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End early; may be called from any thread."""
        self._stopped.set()

    def subscribe(self) -> None:
        """Sign the cast up. Who is known already, from an earlier run in the same folder, gets the filter anew."""
        for person in self._recording.cast:
            self._desks.operator.post(self._path("subscribers"), _sign_up(person), key=f"{self._run}-{person.name}")

    def play(self, narrator: Narrator, speed: float) -> bool:
        """Play all steps, ``speed`` times as fast as they happened; False if it was stopped.

        Raises DemoError where a draft or an incident does not come, ClientError where the server refuses something.
        """
        started = time.monotonic()
        shift = Shift(self._recording.began, datetime.now(UTC), speed)
        for step in self._recording.steps:
            for minutes in self._until(step.at, started, shift):
                narrator.passes(minutes, sum(self._mailbox.counts().values()))
            if self._stopped.is_set():
                return False
            result = self._do(step, shift)
            late = self._wait_for_mails(step)
            narrator.step(step, result)
            if late:
                narrator.say(f"       No mail to {', '.join(late)} yet: it may not be the first time in this folder.")
        return True

    def _until(self, at: float, started: float, shift: Shift) -> Iterator[float]:
        """Wait until a step is due; yield how far the recording is meanwhile, in minutes."""
        due = started + shift.after(at).total_seconds()
        while (left := due - time.monotonic()) > 0:
            yield at - left / shift.after(1).total_seconds()
            if self._stopped.wait(min(left, _TICK)):
                return

    def _do(self, step: AnyStep, shift: Shift) -> str:
        """Do what happened; return what the server said of it, in a few words."""
        match step:
            case Post():
                return self._post(step, shift)
            case Approve(component=component):
                draft = self._wait_for(f"a draft on {component}", lambda: self._draft(component))
                self._desks.approver.post(self._path("drafts", draft, "approve"), {}, key=self._key(step))
                return ""
            case Update():
                self._update(step)
                return ""
            case _:
                assert_never(step)

    def _post(self, step: Post, shift: Shift) -> str:
        token = self._source_tokens[step.source]
        answer = self._desks.monitors.post(
            f"/ingest/{self._page}/{step.source}", shift.body(step.body), headers={"Authorization": f"Bearer {token}"}
        )
        counts = [
            f"{answer.document[name]} {name}"
            for name in ("accepted", "ignored", "deadlettered")
            if answer.document[name]
        ]
        return ", ".join(counts)

    def _update(self, step: Update) -> None:
        incident = self._wait_for(f"an incident on {step.component}", lambda: self._incident(step.component))
        body = {"body": step.message, "status": step.status.value, "next_update_in": step.next_update_in}
        self._desks.operator.post(self._path("incidents", incident, "updates"), body, key=self._key(step))

    def _draft(self, component: str) -> str | None:
        drafts = self._desks.operator.get(self._path("drafts"))
        return next((draft["id"] for draft in drafts if _affects(draft, component)), None)

    def _incident(self, component: str) -> str | None:
        found = self._desks.operator.get(self._path("incidents"))["incidents"]
        return next((one["id"] for one in found if one["status"] != "resolved" and _affects(one, component)), None)

    def _wait_for(self, what: str, look: Any) -> str:
        end = time.monotonic() + PATIENCE
        while not self._stopped.wait(_TICK / 2):
            if (found := look()) is not None:
                return str(found)
            if time.monotonic() > end:
                raise DemoError(f"{what} was expected and did not come")
        raise DemoError("stopped")

    def _wait_for_mails(self, step: AnyStep) -> list[str]:
        """Wait for the mails of a step, so that the next one finds them sent; return whose did not come in time."""
        self._expected.update(self._email[name] for name in step.tells)
        wanted = {name: self._expected[self._email[name]] for name in step.tells}

        def missing(counts: Mapping[str, int]) -> list[str]:
            return [name for name, least in wanted.items() if counts.get(self._email[name], 0) < least]

        self._mailbox.wait(lambda counts: self._stopped.is_set() or not missing(counts), PATIENCE)
        return missing(self._mailbox.counts())

    def _key(self, step: AnyStep) -> str:
        return f"{self._run}-{step.at}"

    def _path(self, *parts: str) -> str:
        return path_of("pages", self._page, *parts)


def _sign_up(person: Person) -> dict[str, Any]:
    given = {"cells": person.cells, "min_impact": person.min_impact.value if person.min_impact else None}
    return {
        "email": person.email,
        "confirmed": True,
        **{name: value for name, value in given.items() if value is not None},
    }


def _affects(found: Mapping[str, Any], component: str) -> bool:
    return any(effect["component"] == component for effect in found["affects"])
