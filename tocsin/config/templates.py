"""Checks the templates of a configuration without rendering them: their syntax and the variables they ask for."""

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from tocsin.config.problems import nearest

TEMPLATE_VARIABLES = frozenset({"component", "region", "regions", "labels", "alert", "next_update", "duration"})
REGION_VARIABLES = frozenset({"labels", "alert"})

_JINJA = SandboxedEnvironment()


def template_faults(text: str, variables: frozenset[str]) -> list[str]:
    """Return what is wrong with a template that is given ``variables``; an empty list if nothing is."""
    try:
        tree = _JINJA.parse(text)
        _JINJA.compile(text)
    except TemplateSyntaxError as error:  # unknown filters and tests too
        return [f"expected a Jinja template, line {error.lineno} of it: {error.message}"]
    except RecursionError:
        return ["expected a Jinja template that is not nested as deeply"]
    if any(True for _ in meta.find_referenced_templates(tree)):
        return ["expected a Jinja template without include, import and extends"]
    unknown = sorted(meta.find_undeclared_variables(tree) - variables)
    known = ", ".join(sorted(variables))
    return [f'expected only the variables {known}, got "{name}"{nearest(name, variables)}' for name in unknown]


def is_template(text: str) -> bool:
    """Whether a text is more than plain words to Jinja."""
    return any(mark in text for mark in ("{{", "{%", "{#"))
