"""From the cells that a person names to those that the page has."""

from collections.abc import Iterable, Sequence

from producers.commands.bodies.fields import CellChoice
from schemas.events import Cell, Effect
from schemas.vocabulary import CellStatus
from streams.domain.model import PageView
from streams.domain.tree import Tree
from streams.runtime.problems import FieldError
from streams.runtime.validation import invalid_fields


def expanded(view: PageView, field: str, choices: Sequence[CellChoice]) -> list[list[Cell]]:
    """Return for each choice the cells that it means; raises ProblemError 400 that names every unknown one."""
    tree = Tree(view.components)
    found = [_cells(view, tree, choice) for choice in choices]
    errors = tuple(
        _unknown(view, f"{field}[{index}]", choice)
        for index, (choice, cells) in enumerate(zip(choices, found, strict=True))
        if not cells
    )
    if errors:
        raise invalid_fields(errors[:50])
    return found


def effects(view: PageView, field: str, choices: Sequence[CellChoice], statuses: Iterable[CellStatus]) -> list[Effect]:
    """Return the effects on the page's cells; of a cell that is named twice the later counts."""
    found: dict[str, Effect] = {}
    for cells, status in zip(expanded(view, field, choices), statuses, strict=True):
        for cell in cells:
            found[cell.key] = Effect(cell.component, cell.region, status)
    return list(found.values())


def _cells(view: PageView, tree: Tree, choice: CellChoice) -> list[Cell]:
    """Return the cells of a leaf, or of all leaves below a group, in the chosen region or in all."""
    if choice.component not in view.components:
        return []
    cells = [cell for leaf in tree.leaves(choice.component) for cell in leaf.cells]
    return [cell for cell in cells if choice.region in (None, cell.region)]


def _unknown(view: PageView, path: str, choice: CellChoice) -> FieldError:
    if choice.component not in view.components:
        return FieldError(f"{path}.component", "the page has no such component")
    return FieldError(f"{path}.region", "the component does not run in this region")


def as_json(found: Iterable[Effect]) -> list[dict[str, str | None]]:
    """Return effects as they are answered."""
    return [{"component": own.component, "region": own.region, "status": own.status} for own in found]
