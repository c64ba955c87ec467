"""The settings that text messages and calls by Twilio share. The SDK is ``twilio_api``'s and not imported here."""

import re
from typing import Annotated, TypeAlias
from urllib.parse import quote, urlsplit

from consumers.delivery.settings import ChannelSettings, Secret, setting

TIMEOUT = 30.0
"""Seconds to connect, and again to wait for bytes of the answer: some that were accepted took Twilio 26 seconds."""
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


def _country(code: str) -> None:
    from consumers.delivery.phones import PLANS  # noqa: PLC0415 -- 60 ms that those pay who switch such a channel on

    if code not in PLANS:
        raise ValueError("not a country that has phones")


def _caller(text: str) -> None:
    if not _E164.fullmatch(text):
        raise ValueError("not a number in E.164")


def _url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not a URL of that kind")


def _callbacks(text: str) -> None:
    _url(text)
    if "_" in (urlsplit(text).hostname or ""):
        raise ValueError("Twilio takes no underscore in a host")


def _api(text: str) -> None:
    _url(text)
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("credentials go over TLS only")


Countries: TypeAlias = tuple[Annotated[str, setting("an ISO 3166 code of a country such as DE", check=_country)], ...]
Caller = Annotated[str, setting("a phone number such as +15005550006", check=_caller)]


class TwilioSettings(ChannelSettings, frozen=True, kw_only=True, rename={"sender": "from"}):
    """What text messages and calls share."""

    account_sid: Annotated[
        str,
        setting("an id of AC and 32 digits from 0 to f", "The account.", pattern="^AC[0-9a-fA-F]{32}$"),
    ]
    auth_token: (
        Annotated[
            Secret, setting("the account's auth token", "Opens the account, and proves that callbacks are Twilio's.")
        ]
        | None
    ) = None
    api_key: (
        Annotated[
            str,
            setting(
                "an id of SK and 32 digits from 0 to f",
                "A key that opens the account in place of the auth token.",
                pattern="^SK[0-9a-fA-F]{32}$",
            ),
        ]
        | None
    ) = None
    api_secret: Annotated[Secret, setting("the secret of api_key", "The secret of that key.")] | None = None
    countries: Annotated[
        Countries,
        setting(None, "The countries whose numbers are taken, against those who earn by messages.", min_length=1),
    ]
    callbacks: (
        Annotated[
            str,
            setting("a URL without a query", "Where Twilio reports what became of a message.", check=_callbacks),
        ]
        | None
    ) = None
    callback_key: (
        Annotated[
            Secret,
            setting("the secret of a shared key", "Signs callbacks (HMAC-SHA256) in place of the auth token."),
        ]
        | None
    ) = None
    connections: Annotated[
        int, setting("a whole number from 1 to 100", "How many requests are made at once.", ge=1, le=100)
    ] = 8
    ask_after: Annotated[
        int,
        setting(
            "a whole number of seconds from 1 to 3600",
            "How long after an attempt in doubt Twilio is asked whether it has the message; it must list it by then.",
            ge=1,
            le=3600,
        ),
    ] = 60
    base_url: Annotated[
        str, setting("an https URL", "Where Twilio's API is; another region has another.", check=_api)
    ] = "https://api.twilio.com"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError("api_secret: expected with api_key, and only with it")
        if self.auth_token is None and self.api_key is None:
            raise ValueError("auth_token: expected the account's auth token, unless api_key and api_secret are given")
        if self.callbacks is not None and self.auth_token is None and self.callback_key is None:
            raise ValueError(
                "callbacks: expected auth_token or callback_key beside it, to prove that they are Twilio's"
            )

    def proofs(self) -> dict[str, str]:
        """Return what proves that callbacks are Twilio's: where they are sent, and the key. Empty without callbacks."""
        if self.callbacks is None:
            return {}
        if self.callback_key is not None:
            return {"url": self.callbacks, "shared_key": self.callback_key.reveal()}
        assert self.auth_token is not None
        return {"url": self.callbacks, "auth_token": self.auth_token.reveal()}

    def callback_url(self, notification: str) -> str | None:
        """Return where Twilio reports what becomes of a notification."""
        return None if self.callbacks is None else f"{self.callbacks}?notification={quote(notification, safe='')}"
