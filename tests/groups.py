"""Which tests run in one process and which begin first, where several processes run them; no test knows of it.

The groups of xdist's own ``loadgroup`` cannot serve: it writes them into a private field of a test, which pytest 9.2
does not have any more, so that each test is a group of its own and shared fixtures are set up in every process.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

_BY_FILE = frozenset({"unit", "contract"})
_BY_PARAMETER = frozenset({"acceptance/story", "kill/matrix", "kill/test_kill.py"})
"""What is set up there is set up for each value of the first parameter."""

LONG: Final = (
    "acceptance/test_operations.py",
    "acceptance/story[distributed]",
    "faults",
    "parity",
    "integration/kafka",
    "integration/registry",
    "kill/test_kill.py",
    "kill/matrix",
    "deploy/test_servers.py",
    "integration/fleet",
    "acceptance/test_text_messages.py",
    "deploy",
    "integration",
    "acceptance",
)
"""Groups (or how their names begin) that take long, the longest first: begun last, one would be all that is waited for."""


def group_of(nodeid: str) -> str:
    """Return the group of a test: its file, or, outside ``unit`` and ``contract``, its folder of shared real parts."""
    path, _, name = nodeid.partition("::")
    parts = path.removeprefix("tests/").split("/")
    group = "/".join(parts if parts[0] in _BY_FILE else parts[:2])
    if group not in _BY_PARAMETER or "[" not in name:
        return group
    first = name.partition("[")[2].removesuffix("]").partition("-")[0]
    return f"{group}[{first}]"


@cache
def rank_of(group: str) -> int:
    """Return when a group begins: the place of a long one, and after all of these the rest, as xdist orders it."""
    return next((place for place, name in enumerate(LONG) if group.startswith(name)), len(LONG))


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out whole groups, long ones first and then those of many tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: "WorkerController") -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=rank_of), last=False)
        super()._assign_work_unit(node)
