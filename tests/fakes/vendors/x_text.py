"""X's own way to weigh a text, by the port of its published algorithm (twitter-text). The oracle for what we make of it."""

import sys
from importlib import resources
from types import ModuleType


def _imported() -> ModuleType:
    """Import twitter_text, which reads one file by setuptools' pkg_resources; setuptools does not have that any more."""
    stand_in = ModuleType("pkg_resources")
    stand_in.__dict__["resource_string"] = lambda package, name: (
        resources.files(package.rpartition(".")[0]).joinpath(name).read_bytes()
    )
    known = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        import twitter_text  # type: ignore[import-untyped]
    finally:
        del sys.modules["pkg_resources"]
        if known is not None:
            sys.modules["pkg_resources"] = known
    return twitter_text


_TWITTER_TEXT = _imported()


def official_weight(text: str) -> int:
    """Return what a text weighs; it may have 280."""
    return int(_TWITTER_TEXT.parse_tweet(text).weightedLength)


def links_with_scheme(text: str) -> list[tuple[int, int]]:
    """Return where links that begin with http lie in a text."""
    found = _TWITTER_TEXT.extract_urls_with_indices(text, extract_urls_without_protocol=False)
    return [tuple(link["indices"]) for link in found]
