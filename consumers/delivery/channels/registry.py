"""Every channel there is, by name: its settings and how it is made. Nothing is found by scanning; a channel is a line here."""

from collections.abc import Callable
from typing import Any, NamedTuple

from consumers.delivery.channel import Channel
from consumers.delivery.channels.bluesky import BlueskySettings, bluesky_channel
from consumers.delivery.channels.discord import DiscordSettings, discord_channel
from consumers.delivery.channels.email import EmailSettings, email_channel
from consumers.delivery.channels.mastodon import MastodonSettings, mastodon_channel
from consumers.delivery.channels.pagerduty import PagerDutySettings, pagerduty_channel
from consumers.delivery.channels.slack import SlackSettings, slack_channel
from consumers.delivery.channels.sms import SmsSettings, sms_channel
from consumers.delivery.channels.statuspage_webhook import StatuspageWebhookSettings, statuspage_webhook_channel
from consumers.delivery.channels.teams import TeamsSettings, teams_channel
from consumers.delivery.channels.telegram import TelegramSettings, telegram_channel
from consumers.delivery.channels.voice import VoiceSettings, voice_channel
from consumers.delivery.channels.webhook import WebhookSettings, webhook_channel
from consumers.delivery.channels.webpush import WebPushSettings, webpush_channel
from consumers.delivery.channels.x import XSettings, x_channel
from consumers.delivery.context import ChannelContext
from consumers.delivery.settings import ChannelSettings


class ChannelKind(NamedTuple):
    """A channel's name under ``channels:``, the type of its settings, and its factory.

    The factory is called with settings of that very type. It does no I/O; the channel connects when it sends.
    """

    name: str
    settings: type[ChannelSettings]
    factory: Callable[[Any, ChannelContext], Channel]


CHANNELS: tuple[ChannelKind, ...] = (
    ChannelKind("email", EmailSettings, email_channel),
    ChannelKind("webhook", WebhookSettings, webhook_channel),
    ChannelKind("sms", SmsSettings, sms_channel),
    ChannelKind("voice", VoiceSettings, voice_channel),
    ChannelKind("webpush", WebPushSettings, webpush_channel),
    ChannelKind("x", XSettings, x_channel),
    ChannelKind("mastodon", MastodonSettings, mastodon_channel),
    ChannelKind("bluesky", BlueskySettings, bluesky_channel),
    ChannelKind("statuspage_webhook", StatuspageWebhookSettings, statuspage_webhook_channel),
    ChannelKind("slack", SlackSettings, slack_channel),
    ChannelKind("teams", TeamsSettings, teams_channel),
    ChannelKind("discord", DiscordSettings, discord_channel),
    ChannelKind("telegram", TelegramSettings, telegram_channel),
    ChannelKind("pagerduty", PagerDutySettings, pagerduty_channel),
)
CHANNEL_OF_NAME: dict[str, ChannelKind] = {kind.name: kind for kind in CHANNELS}
