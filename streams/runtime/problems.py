"""What can be wrong with a request, as RFC 9457 problems; the edge turns them into answers."""

from typing import Any

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One field that is wrong: ``field`` is its path (``affects[0].component``, ``query.limit``)."""

    field: str
    message: str


class ProblemError(Exception):
    """A request that is refused; ``status`` is the HTTP status, ``detail`` says what to do about it."""

    def __init__(
        self, status: int, title: str, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after: int = 0
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after

    def document(self) -> dict[str, Any]:
        """Return the members of ``application/problem+json``; ``field`` repeats the first error's for simple readers."""
        body: dict[str, Any] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["field"] = self.errors[0].field
            body["errors"] = [{"field": error.field, "message": error.message} for error in self.errors]
        return body


def invalid(field: str, message: str) -> ProblemError:
    """Return the problem of one wrong field (400)."""
    return ProblemError(400, "Invalid request", f"{field}: {message}", errors=(FieldError(field, message),))


def not_found(what: str) -> ProblemError:
    """Return the problem of a thing that does not exist (404)."""
    return ProblemError(404, "Not found", f"There is no such {what}.")


def overloaded(detail: str) -> ProblemError:
    """Return the problem of a log that cannot take more now (503 with Retry-After)."""
    return ProblemError(503, "Try again shortly", detail, retry_after=5)
