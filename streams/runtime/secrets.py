"""Tokens of sources: what the intake checks them against; they are never in the log."""

import hmac

import msgspec

from streams.runtime.access import digest


class SourceToken(msgspec.Struct, frozen=True):
    """A source of a page, its kind, and the digests of the tokens that it accepts (several while one is rotated)."""

    page: str
    source: str
    kind: str
    digests: tuple[bytes, ...]


class SourceTokens:
    """Sources by page and id, and by token for protocols that name no source."""

    def __init__(self, sources: tuple[SourceToken, ...]) -> None:
        self._by_name = {(source.page, source.source): source for source in sources}
        self._by_digest = {known: source for source in sources for known in source.digests}

    def named(self, page: str, source: str) -> SourceToken | None:
        """Return the source, None where the page has none of this id."""
        return self._by_name.get((page, source))

    def with_token(self, token: str) -> SourceToken | None:
        """Return the source whose token this is."""
        return self._by_digest.get(digest(token))

    @staticmethod
    def accepts(source: SourceToken, token: str) -> bool:
        """Whether ``token`` is one of the source's."""
        given = digest(token)
        return sum(hmac.compare_digest(known, given) for known in source.digests) > 0
