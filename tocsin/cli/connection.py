"""The options that every command over HTTP has, and the desk that it works at: a client, a page, a way to answer."""

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, ParamSpec, TypeAlias

import typer

from schemas.ids import random_id
from tocsin.cli.failures import FailedError
from tocsin.cli.output import warn
from tocsin.client import Answer, ApiClient, path_of

P = ParamSpec("P")

DEFAULT_SERVER = "http://127.0.0.1:8080"
_PANEL = "Connection"

ServerOption: TypeAlias = Annotated[
    str, typer.Option("--server", envvar="TOCSIN_SERVER", metavar="URL", help="The server.", rich_help_panel=_PANEL)
]
TokenOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="TOCSIN_TOKEN", metavar="TOKEN", help="An operator's token.", rich_help_panel=_PANEL
    ),
]
PageOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--page", envvar="TOCSIN_PAGE", metavar="ID", help="The page; absent: the server's only one.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON.")]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key", metavar="KEY", help="What is sent twice under one key is done once; absent: a random key.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip

_OPTIONS = {
    "server": (ServerOption, DEFAULT_SERVER),
    "token": (TokenOption, None),
    "page": (PageOption, None),
    "as_json": (JsonOption, False),
}
_KEY = {"key": (KeyOption, None)}


@dataclass(frozen=True)
class Desk:
    """Where a command works: the client, the page, the key of what it posts, and whether it answers in JSON."""

    client: ApiClient
    chosen_page: str | None
    as_json: bool
    key: str

    @functools.cached_property
    def page(self) -> str:
        """The page's id; raises FailedError where there is none or more than one to choose from."""
        return self.chosen_page or only_page(self.client)

    def get(self, *parts: str, query: Mapping[str, str | int | None] | None = None) -> Any:
        """Return what lies below the page."""
        return self.client.get(path_of("pages", self.page, *parts), query)

    def post(self, *parts: str, body: Mapping[str, Any]) -> Answer:
        """Send a command, without those members of ``body`` that are None."""
        given = {name: value for name, value in body.items() if value is not None}
        answer = self.client.post(path_of("pages", self.page, *parts), given, key=self.key)
        self._say_if_late(answer)
        return answer

    def put(self, *parts: str, body: Mapping[str, Any]) -> Answer:
        """Put something in the place of what is there, without those members of ``body`` that are None."""
        given = {name: value for name, value in body.items() if value is not None}
        return self.client.put(path_of("pages", self.page, *parts), given)

    def delete(self, *parts: str) -> Answer:
        """Remove what lies below the page."""
        answer = self.client.delete(path_of("pages", self.page, *parts), key=self.key)
        self._say_if_late(answer)
        return answer

    def answer(self, document: Any, show: Callable[[Any], None]) -> None:
        """Print ``document`` as JSON, or let ``show`` print it for people."""
        if self.as_json:
            print(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            show(document)

    def _say_if_late(self, answer: Answer) -> None:
        if answer.late:
            warn("accepted; what became of it is not known yet")


def only_page(client: ApiClient) -> str:
    """Return the id of the server's only page; raises FailedError."""
    pages = [str(page["id"]) for page in client.get(path_of("pages"))["pages"]]
    if not pages:
        raise FailedError("the server has no page")
    if len(pages) > 1:
        raise FailedError(f"choose a page with --page: {', '.join(pages)}")
    return pages[0]


def at_a_desk(command: Callable[Concatenate[Desk, P], None]) -> Callable[..., None]:
    """Add the connection's options to a command that reads; its first argument becomes the desk."""
    return _with_options(command, _OPTIONS)


def posting(command: Callable[Concatenate[Desk, P], None]) -> Callable[..., None]:
    """Add the connection's options, and ``--idempotency-key``, to a command that changes something."""
    return _with_options(command, {**_OPTIONS, **_KEY})


def _with_options(command: Callable[..., None], options: Mapping[str, tuple[Any, Any]]) -> Callable[..., None]:
    """Return a function with the parameters of both, for typer reads parameters off a signature."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]

    def run(**values: Any) -> None:
        chosen = {name: values.pop(name) for name in options}
        with ApiClient(chosen["server"], chosen["token"]) as client:
            desk = Desk(client, chosen["page"], chosen["as_json"], chosen.get("key") or random_id())
            command(desk, **values)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # functions may carry one (PEP 362)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
