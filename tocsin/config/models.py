"""The table of settings: every key, its type, its default and what it is for. It knows neither YAML nor events."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer

from consumers.delivery.settings import ChannelSettings
from schemas.vocabulary import Audience, CellStatus, Publish, Severity
from tocsin.config.values import (
    BaseUrl,
    Body,
    ChannelName,
    Duration,
    Email,
    Expect,
    Id,
    Label,
    Line,
    Link,
    Namespace,
    Percentage,
    Rates,
    RedisUrl,
    RegistryUrl,
    Replicas,
    Servers,
    Several,
    SourceKind,
    Text,
    Timezone,
    Title,
    Token,
    Weight,
)  # fmt: skip

RegionId: TypeAlias = Annotated[Id, Expect("the id of a region")]
ComponentId: TypeAlias = Annotated[Id, Expect("the id of a component or group")]
SourceId: TypeAlias = Annotated[Id, Expect("the id of a source")]
TemplateId: TypeAlias = Annotated[Id, Expect("the id of a template")]


class Settings(BaseModel):
    """What all settings share: nothing unknown, nothing changeable."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Page(Settings):
    """The status page itself."""

    id: Id = Field(description="Names the page in URLs and on the log; never change it.")
    name: Line = Field(description="What customers call you.")
    url: BaseUrl = Field(description="Where the page is reached; links in messages begin with it.")
    timezone: Timezone = Field(default="UTC", description="The zone in which times are written and days begin.")
    support_url: Link | None = Field(default=None, description="Where people turn with questions.")
    partial_weight: Weight = Field(
        default=0.3, description="How much a second of partial outage counts against uptime."
    )
    maintenance_indicator: bool = Field(
        default=True, description="Whether maintenance shows as `maintenance` in the API v2's indicator, or as `none`."
    )


class Region(Settings):
    """A place where components run."""

    id: Id = Field(description="Names the region.")
    name: Line = Field(description="What customers call it.")


class Component(Settings):
    """A component, or a group if it holds others."""

    id: Id = Field(description="Names the component; unique among all components and groups.")
    name: Line = Field(description="What customers call it.")
    regions: tuple[RegionId, ...] = Field(default=(), description="Where it runs; a group has none of its own.")
    slo: Percentage | None = Field(default=None, description="The uptime that you promise.")
    third_party: bool = Field(default=False, description="Whether somebody else runs it.")
    description: Text | None = Field(default=None, description="A sentence that is shown with it.")
    audience: Audience = Field(
        default=Audience.PUBLIC, description="`internal`: only who works here hears of it and of what lies below it."
    )
    components: tuple["Component", ...] = Field(default=(), description="What lies below it; the same keys again.")


class Source(Settings):
    """A monitoring system that may post alerts to `/ingest/<page>/<source>`."""

    id: Id = Field(description="Names the source in its URL and in rules.")
    kind: SourceKind = Field(description="What it is, and so how it speaks.")
    token: Token | None = Field(default=None, description="Its secret. One of `token` and `tokens` is needed.")
    tokens: tuple[Token, ...] = Field(
        default=(), description="Several secrets that are valid at once, to change them in turn."
    )

    @property
    def secrets(self) -> tuple[Token, ...]:
        """Every secret that is valid."""
        return (self.token, *self.tokens) if self.token else self.tokens


class Match(Settings):
    """Which alerts a rule is for: all that is given must hold."""

    source: SourceId | None = Field(default=None, description="The source it comes from; absent: any.")
    labels: dict[str, Label] = Field(default={}, description="Labels that it must carry, with just these values.")


class Affects(Settings):
    """Which cell an alert of the rule is about."""

    component: ComponentId = Field(description="The component or group.")
    region: Label | None = Field(default=None, description="A region's id, or a template of `labels` that yields one.")


class Publishing(Settings):
    """How a rule's incident reaches the public: at once, after a delay, or once a person approves."""

    mode: Publish
    after: Duration | None = None


def _read_publish(value: Any) -> Any:
    if value in (Publish.AUTO.value, Publish.APPROVE.value):
        return {"mode": value}
    if isinstance(value, dict) and list(value) == ["after"]:
        return {"mode": Publish.AFTER, "after": value["after"]}
    raise ValueError


def _read_status(value: Any) -> Any:
    """Spread a single status over all severities; raises ValueError for a word that is no status."""
    return dict.fromkeys(Severity, CellStatus(value)) if isinstance(value, str) else value


def _refuse_maintenance(statuses: dict[Severity, CellStatus]) -> dict[Severity, CellStatus]:
    if CellStatus.MAINTENANCE in statuses.values():
        raise ValueError
    return statuses


_EFFECTS = tuple(status for status in CellStatus if status is not CellStatus.MAINTENANCE)
Effect: TypeAlias = Annotated[CellStatus, Expect(f"one of {', '.join(_EFFECTS)}", lambda: _EFFECTS)]
PublishSetting: TypeAlias = Annotated[
    Publishing, Expect("auto, approve or {after: duration}, e.g. {after: 5m}"), BeforeValidator(_read_publish)
]
EffectSetting: TypeAlias = Annotated[
    dict[Severity, Effect],
    Expect(f"a status ({', '.join(_EFFECTS)}), or one for each severity ({', '.join(Severity)})", lambda: _EFFECTS),
    BeforeValidator(_read_status),
    AfterValidator(_refuse_maintenance),
    Field(min_length=1),
]


class Rule(Settings):
    """What an alert means to the public; the first rule that matches decides."""

    id: Id = Field(description="Names the rule.")
    match: Match = Field(description="Which alerts it is for.")
    affects: Affects = Field(description="What they are about.")
    status: EffectSetting = Field(
        description="How bad it is. An alert whose severity is not listed is kept and shown to operators only."
    )
    publish: PublishSetting = Field(
        description="At once, after a delay (never, if the alert clears in time), or once a person approves."
    )
    template: TemplateId = Field(description="The words.")


class Template(Settings):
    """The words of incidents: Jinja templates."""

    title: Title = Field(description="The incident's title.")
    investigating: Body = Field(description="The first message, and the one when it gets worse.")
    identified: Body | None = Field(default=None, description="The message when the cause is known.")
    monitoring: Body | None = Field(default=None, description="The message when a fix is being watched.")
    resolved: Body = Field(description="The all-clear.")


class Updates(Settings):
    """The promise of the next update."""

    every: Duration = Field(
        default=timedelta(minutes=30), description="When the next update follows, unless an update says otherwise."
    )
    remind: tuple[Email, ...] = Field(default=(), description="Who is told when a promise is about to be broken.")


def _without_secrets(channels: dict[str, ChannelSettings]) -> dict[str, str]:
    return {name: repr(settings) for name, settings in channels.items()}


ChannelsOf: TypeAlias = Annotated[dict[str, InstanceOf[ChannelSettings]], PlainSerializer(_without_secrets)]
"""The settings of channels by name, each of the type that the registry names; they are checked in ``channels``."""


class ChannelLimits(Settings):
    """How often a channel may send; what is left out is what its vendor allows."""

    account: Rates | None = Field(
        default=None,
        description="How many messages the account with the provider may send, in place of the usual limit.",
    )
    sender: Rates | None = Field(
        default=None, description="How many may come from one sender: an address, a number, a handle."
    )
    destination: Rates | None = Field(
        default=None, description="How many may go to one destination: an endpoint; of webhooks, a host."
    )


class StormGuard(Settings):
    """When many incidents at once become one message."""

    incidents: Several = Field(description="Of how many incidents an endpoint is told before they are combined.")
    within: Duration = Field(
        description="Within how long. From then on an endpoint gets one message in each part of it, of which there are as many."
    )


class Delivery(Settings):
    """What is sent when."""

    combined_note: bool = Field(
        default=True,
        description="Whether those whom the opening of an incident never reached get one note when it is over, or nothing.",
    )
    storm: StormGuard | None = Field(
        default=None, description="When many incidents at once become one message; absent: each is told by itself."
    )
    limits: dict[ChannelName, ChannelLimits] = Field(default={}, description="How often channels may send, by channel.")


class Role(StrEnum):
    """What an operator may do; each role may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Operator(Settings):
    """A person, or a script, that may use the API."""

    name: Line = Field(description="Names the operator in the audit log.")
    role: Role = Field(description="What the operator may do; each role includes those before it.")
    token: Token = Field(description="The operator's secret, used as a bearer token.")


class Engine(Settings):
    """Where the distributed engine keeps what the embedded one keeps in its folder."""

    kafka: Servers = Field(description="The Kafka brokers that are asked first; they hold the log.")
    redis: RedisUrl = Field(description="The Redis that holds what is folded from the log; the URL is secret.")
    namespace: Namespace = Field(
        default="", description="Stands before every topic, group and Redis key, so that several pages share a cluster."
    )
    replication: Replicas = Field(
        default=1, description="How many brokers hold each topic; at least 3 where no event may be lost with a machine."
    )
    registry: RegistryUrl | None = Field(
        default=None,
        description="A schema registry (Confluent's API); with one, events carry its wire format. It may hold a password.",
    )

    @property
    def servers(self) -> list[str]:
        """The brokers, one by one."""
        return self.kafka.split(",")


class Config(Settings):
    """A whole file: one page with all that belongs to it."""

    page: Page = Field(description="The status page itself.")
    regions: tuple[Region, ...] = Field(default=(), description="The places where components run, in display order.")
    components: tuple[Component, ...] = Field(default=(), description="What customers recognise, in display order.")
    sources: tuple[Source, ...] = Field(default=(), description="The monitoring systems that may post alerts.")
    rules: tuple[Rule, ...] = Field(default=(), description="What alerts mean to the public; the first match decides.")
    templates: dict[Id, Template] = Field(default={}, description="The words of incidents, by id.")
    updates: Updates = Field(default=Updates(), description="The promise of the next update.")
    channels: ChannelsOf = Field(
        default={}, description="The ways to reach subscribers; what is absent is switched off."
    )
    delivery: Delivery = Field(default=Delivery(), description="What is sent when.")
    operators: tuple[Operator, ...] = Field(default=(), description="Who may use the API.")
    engine: Engine | None = Field(default=None, description="The distributed engine; absent: one folder, one process.")
