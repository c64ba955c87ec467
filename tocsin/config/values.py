"""The kinds of single values that settings have: how each is checked, and what is said to be expected."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from consumers.delivery.rates import EXPECTED, rates_of
from producers.sources.registry import KIND_OF_NAME

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?")
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:]{2,39}\]):(\d{1,5})")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{0,64}")
MAX_DURATION = timedelta(days=366)


@dataclass(frozen=True)
class Expect:
    """What a value must be, in words, and (for suggestions) the words that there are."""

    text: str
    options: Callable[[], Iterable[str]] | None = None


def _check_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError
    return text


def _check_line(text: str) -> str:
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise ValueError
    return text


def _check_channel(name: str) -> str:
    if name not in CHANNEL_OF_NAME:
        raise ValueError
    return name


def _check_rates(text: str) -> str:
    rates_of(text)
    if not text.strip():
        raise ValueError
    return text


def _check_timezone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError
    return text


def _check_url(text: str) -> str:
    """Return the URL without a slash at its end, so that paths can be added to it."""
    parts = urlsplit(text)
    plain = text.isprintable() and " " not in text and not set("?#@\\") & set(text)
    if not (plain and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0):
        raise ValueError
    return text.rstrip("/")


def _check_link(text: str) -> str:
    if text.startswith("mailto:"):
        return "mailto:" + _check_email(text.removeprefix("mailto:"))
    parts = urlsplit(text)
    if not (text.isprintable() and " " not in text and parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError
    return text


def _check_email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError from None


def _check_servers(text: str) -> str:
    """Return the servers without spaces."""
    servers = [server.strip() for server in text.split(",")]
    for server in servers:
        found = _SERVER.fullmatch(server)
        if found is None or not 0 < int(found[1]) < 65_536:
            raise ValueError
    return ",".join(servers)


def _check_redis_url(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    parts = urlsplit(text)
    database = parts.path.removeprefix("/")
    plain = text.isprintable() and " " not in text and not parts.query and not parts.fragment
    if not (plain and parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0):
        raise ValueError
    if database and not database.isdecimal():
        raise ValueError
    return secret


def _check_registry_url(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    parts = urlsplit(text)
    plain = text.isprintable() and " " not in text and not parts.query and not parts.fragment
    if not (plain and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0):
        raise ValueError
    return secret


def _check_namespace(text: str) -> str:
    if not _NAMESPACE.fullmatch(text):
        raise ValueError
    return text


def _check_kind(text: str) -> str:
    if text not in KIND_OF_NAME:
        raise ValueError
    return text


def _check_token(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not (8 <= len(text) <= 256 and text.isascii() and text.isprintable() and " " not in text):
        raise ValueError
    return secret


def _read_duration(value: object) -> timedelta:
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        raise ValueError
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta() < duration <= MAX_DURATION:
        raise ValueError
    return duration


def _refuse_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 -- pydantic turns ValueError, not TypeError, into a finding
    return value


_FINITE = Field(allow_inf_nan=False)

Id: TypeAlias = Annotated[
    str, Expect("an id (a-z, 0-9, _ and -; at most 64; a letter or digit first)"), AfterValidator(_check_id)
]
Line: TypeAlias = Annotated[str, Expect("one line of text of 1 to 200 characters"), AfterValidator(_check_line)]
Text: TypeAlias = Annotated[str, Expect("text of 1 to 20000 characters"), Field(min_length=1, max_length=20_000)]
Label: TypeAlias = Annotated[str, Expect("text")]
Title: TypeAlias = Annotated[str, Expect("a template of 1 to 500 characters"), Field(min_length=1, max_length=500)]
Body: TypeAlias = Annotated[str, Expect("a template of 1 to 20000 characters"), Field(min_length=1, max_length=20_000)]
Timezone: TypeAlias = Annotated[
    str, Expect("a time zone such as Europe/Berlin", available_timezones), AfterValidator(_check_timezone)
]
BaseUrl: TypeAlias = Annotated[
    str, Expect("an absolute http or https URL without user, query and fragment"), AfterValidator(_check_url)
]
Link: TypeAlias = Annotated[str, Expect("an absolute http or https URL, or mailto:"), AfterValidator(_check_link)]
Email: TypeAlias = Annotated[str, Expect("an email address"), AfterValidator(_check_email)]
Servers: TypeAlias = Annotated[
    str, Expect("host:port, or several with commas between them"), AfterValidator(_check_servers)
]
RedisUrl: TypeAlias = Annotated[
    SecretStr,
    Expect("a URL: redis:// or rediss://[[user]:password@]host[:port][/database]"),
    AfterValidator(_check_redis_url),
]
RegistryUrl: TypeAlias = Annotated[
    SecretStr,
    Expect("a URL: http:// or https://[user:password@]host[:port][/path]"),
    AfterValidator(_check_registry_url),
]
Namespace: TypeAlias = Annotated[
    str, Expect("at most 64 letters, digits, dots, _ and -"), AfterValidator(_check_namespace)
]
Replicas: TypeAlias = Annotated[
    int, Expect("a whole number from 1 to 9"), BeforeValidator(_refuse_boolean), Field(ge=1, le=9)
]
Several: TypeAlias = Annotated[
    int, Expect("a whole number from 2 to 1000"), BeforeValidator(_refuse_boolean), Field(ge=2, le=1_000)
]
SourceKind: TypeAlias = Annotated[
    str, Expect(f"one of {', '.join(KIND_OF_NAME)}", lambda: KIND_OF_NAME), AfterValidator(_check_kind)
]
Token: TypeAlias = Annotated[
    SecretStr, Expect("a secret of 8 to 256 printable ASCII characters without spaces"), AfterValidator(_check_token)
]
ChannelName: TypeAlias = Annotated[
    str, Expect("the name of a channel", lambda: CHANNEL_OF_NAME), AfterValidator(_check_channel)
]
Rates: TypeAlias = Annotated[str, Expect(EXPECTED), AfterValidator(_check_rates)]
Duration: TypeAlias = Annotated[
    timedelta, Expect("a duration such as 90s, 5m, 1h30m or 2d, at most 366d"), BeforeValidator(_read_duration)
]
Weight: TypeAlias = Annotated[
    float, Expect("a number from 0 to 1"), BeforeValidator(_refuse_boolean), Field(ge=0, le=1), _FINITE
]
Percentage: TypeAlias = Annotated[
    float, Expect("a percentage above 0, at most 100"), BeforeValidator(_refuse_boolean), Field(gt=0, le=100), _FINITE
]
