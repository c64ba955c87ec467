"""No channel is without its matrix: each in the registry is driven through every misbehaviour, with each of its providers.

The matrices stand in the channels' own tests, with a table of how attempts end there. Here it is only asked that there is
one, that it is run by ``try_all``, and that ``try_all`` leaves nothing out.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from consumers.delivery.channels.registry import CHANNELS
from tests.fakes import smtp
from tests.fakes.vendors.http import Hang, Reply, Reset
from tests.fakes.vendors.matrix import MISBEHAVIOURS, REFUSED, try_all
from tests.unit.delivery.channels import (
    test_bluesky,
    test_discord,
    test_email,
    test_email_sendgrid,
    test_mastodon,
    test_pagerduty,
    test_slack,
    test_sms,
    test_statuspage_webhook,
    test_teams,
    test_telegram,
    test_voice,
    test_webhook,
    test_webpush,
    test_x,
)

Matrix: TypeAlias = Callable[..., Awaitable[None]]
MATRICES: Mapping[str, tuple[Matrix, ...]] = {
    "email": (test_email_sendgrid.test_every_way_to_fail,),
    "webhook": (test_webhook.test_every_way_to_fail,),
    "sms": (test_sms.test_every_way_to_fail,),
    "voice": (test_voice.test_every_way_to_fail,),
    "webpush": (test_webpush.test_every_way_to_fail,),
    "x": (test_x.test_every_way_to_fail,),
    "mastodon": (test_mastodon.test_every_way_to_fail,),
    "bluesky": (test_bluesky.test_every_way_to_fail,),
    "statuspage_webhook": (test_statuspage_webhook.test_every_way_to_fail,),
    "slack": (test_slack.test_every_way_to_fail_for_the_bot, test_slack.test_every_way_to_fail_for_a_webhook),
    "teams": (test_teams.test_every_way_to_fail,),
    "discord": (test_discord.test_every_way_to_fail,),
    "telegram": (test_telegram.test_every_way_to_fail,),
    "pagerduty": (test_pagerduty.test_every_way_to_fail,),
}


def test_every_channel_has_its_matrix() -> None:
    assert set(MATRICES) == {kind.name for kind in CHANNELS}


@pytest.mark.parametrize("matrix", [one for some in MATRICES.values() for one in some], ids=lambda one: one.__module__)
def test_each_tries_all(matrix: Any) -> None:
    assert try_all.__name__ in matrix.__code__.co_names


def test_all_is_what_was_promised() -> None:
    """Too many requests, taken and answered 500, taken and never answered, reset after some bytes (duplicates and late
    callbacks are of receipts: ``tests/unit/receipts``)."""
    tried = {name: how for name, how in MISBEHAVIOURS.items() if isinstance(how, Reply | Hang | Reset)}
    assert {how.status for how in tried.values() if isinstance(how, Reply)} >= {429, 500, 503}
    assert any(isinstance(how, Reply) and "Retry-After" in how.headers for how in tried.values())
    assert any(isinstance(how, Reply) and how.status == 500 and how.accepts for how in tried.values())
    assert {how.accepts for how in tried.values() if isinstance(how, Hang)} == {True, False}
    assert {bool(how.after) for how in tried.values() if isinstance(how, Reset)} == {True, False}
    assert REFUSED not in MISBEHAVIOURS, "nobody listens: it is tried besides"


def test_mail_servers_have_one_in_their_own_words() -> None:
    actions = [action for action, _ in test_email.SMTP_WAYS.values()]
    for kind in (smtp.Refuse, smtp.Hang, smtp.Drop):
        assert {action.keep for action in actions if isinstance(action, kind)} == {True, False}
    assert any(isinstance(action, smtp.Cut) and action.keep for action in actions)
