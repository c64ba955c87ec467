"""Checks the templates of a configuration without rendering them: their syntax and the variables they ask for."""

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, meta, nodes

from streams.domain.wording import Named, Words, sandbox
from tocsin.config.problems import nearest

TEMPLATE_VARIABLES = frozenset(Words.__struct_fields__)
REGION_VARIABLES = frozenset({"labels"})
_NAMED = frozenset({"component", "region"})

_JINJA = sandbox()


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
    return [*_unknown_variables(tree, variables), *_unknown_attributes(tree)]


def is_template(text: str) -> bool:
    """Whether a text is more than plain words to Jinja."""
    return any(mark in text for mark in ("{{", "{%", "{#"))


def _unknown_variables(tree: nodes.Template, variables: frozenset[str]) -> Iterator[str]:
    known = ", ".join(sorted(variables))
    for name in sorted(meta.find_undeclared_variables(tree) - variables):
        yield f'expected only the variables {known}, got "{name}"{nearest(name, variables)}'


def _unknown_attributes(tree: nodes.Template) -> Iterator[str]:
    """Find ``region.nmae``: it would silently render as nothing."""
    for found in tree.find_all(nodes.Getattr):
        owner = found.node
        if isinstance(owner, nodes.Name) and owner.name in _NAMED and found.attr not in Named.__struct_fields__:
            known = " and ".join(f"{owner.name}.{one}" for one in Named.__struct_fields__)
            yield f'expected only {known}, got "{owner.name}.{found.attr}"'
