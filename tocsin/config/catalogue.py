"""From a configuration to the catalogue that the log shall have; secrets, channels and operators stay outside."""

from collections.abc import Iterator

from schemas import events as e
from schemas.vocabulary import CellStatus, IncidentStatus, Severity
from streams.domain.catalogue import Catalogue
from streams.domain.routing import ANY_SEVERITY
from tocsin.config.models import Component, Config, Rule, Template


def desired(config: Config) -> Catalogue:
    """Return the catalogue that ``config`` asks for."""
    return Catalogue(
        page=_page(config),
        regions=e.RegionsDefined([e.Region(region.id, region.name) for region in config.regions]),
        components={one.component: one for one in _components(config.components, None)},
        templates={name: _template(name, template) for name, template in config.templates.items()},
        sources={source.id: e.SourceDefined(source.id, source.kind) for source in config.sources},
        rules=e.RulesDefined([_rule(rule) for rule in config.rules]),
    )


def _page(config: Config) -> e.PageDefined:
    page = config.page
    return e.PageDefined(
        name=page.name,
        url=page.url,
        timezone=page.timezone,
        support_url=page.support_url or "",
        update_every=int(config.updates.every.total_seconds()),
        partial_weight=page.partial_weight,
        maintenance_indicator=page.maintenance_indicator,
    )


def _components(components: tuple[Component, ...], parent: str | None) -> Iterator[e.ComponentDefined]:
    for position, component in enumerate(components):
        yield e.ComponentDefined(
            component=component.id,
            name=component.name,
            parent=parent,
            position=position,
            regions=list(component.regions),
            slo=component.slo,
            third_party=component.third_party,
            description=component.description or "",
            audience=component.audience,
        )
        yield from _components(component.components, component.id)


def _template(name: str, template: Template) -> e.TemplateDefined:
    texts = {
        IncidentStatus.INVESTIGATING: template.investigating,
        IncidentStatus.IDENTIFIED: template.identified,
        IncidentStatus.MONITORING: template.monitoring,
        IncidentStatus.RESOLVED: template.resolved,
    }
    return e.TemplateDefined(name, template.title, {status.value: text for status, text in texts.items() if text})


def _rule(rule: Rule) -> e.Rule:
    after = rule.publish.after
    return e.Rule(
        id=rule.id,
        source=rule.match.source,
        labels=dict(rule.match.labels),
        component=rule.affects.component,
        region=rule.affects.region,
        status=_status(rule),
        publish=rule.publish.mode,
        delay=0 if after is None else int(after.total_seconds()),
        template=rule.template,
    )


def _status(rule: Rule) -> dict[str, CellStatus]:
    """Return a status for each severity, or the one that all severities have."""
    statuses = set(rule.status.values())
    if len(statuses) == 1 and len(rule.status) == len(Severity):
        return dict.fromkeys([ANY_SEVERITY], statuses.pop())
    return {severity.value: status for severity, status in rule.status.items()}
