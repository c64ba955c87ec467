"""Who may do what: operators by bearer token, with cumulative roles."""

import hmac
from collections.abc import Iterable
from enum import IntEnum
from hashlib import sha256

import msgspec

from streams.runtime.problems import ProblemError


class Role(IntEnum):
    """What an operator may do; each role may do what those below it may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3
    ADMIN = 4


class Operator(msgspec.Struct, frozen=True):
    """A person or program with a token."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """The actor that their events carry."""
        return f"operator:{self.name}"


class Access:
    """Operators by the hash of their token: the tokens themselves are not kept."""

    def __init__(self, operators: Iterable[tuple[Operator, str]]) -> None:
        self._by_digest = {digest(token): operator for operator, token in operators}

    def operator(self, authorization: str | None) -> Operator | None:
        """Return who sends ``Authorization: Bearer TOKEN``, None for nobody known."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        wanted = digest(token.strip())
        # Digests are compared, and all of them: how long it takes tells nothing of a token.
        found = [operator for known, operator in self._by_digest.items() if hmac.compare_digest(known, wanted)]
        return found[0] if found else None

    def require(self, authorization: str | None, role: Role) -> Operator:
        """Return the operator; raises ProblemError 401 without a valid token, 403 below ``role``."""
        operator = self.operator(authorization)
        if operator is None:
            raise ProblemError(401, "Who are you?", "Send a valid operator token: Authorization: Bearer TOKEN.")
        if operator.role < role:
            raise ProblemError(403, "Not allowed", f"This needs the role {role.name.lower()}.")
        return operator


def digest(token: str) -> bytes:
    """Return the SHA-256 of a token: what is kept and compared."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
