"""How a channel declares its settings: fields that say what they must be and what they are for, and secrets that cannot print.

A channel's settings are a ``ChannelSettings``; the configuration, its errors and its documentation follow the fields. It
knows no channel and no file.

    class SmokeSettings(ChannelSettings, frozen=True):
        token: Annotated[Secret, setting("a token that begins with smk-", "Opens the account.", check=_token)]
        puffs: Annotated[int, setting("a whole number from 1 to 9", "How many clouds a message gets.", ge=1, le=9)] = 3
"""

from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

S = TypeVar("S", bound="ChannelSettings")
_ABSENT = msgspec.UNSET


class Secret:
    """A text that is printed as ``***`` wherever it gets; ``reveal`` is for the call that needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; keep it out of reasons, logs and names."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"


def setting(
    expected: str | None, purpose: str | None = None, *, check: Callable[[Any], object] | None = None, **bounds: Any
) -> msgspec.Meta:
    """Return what stands in a field's ``Annotated``.

    ``expected`` completes the sentence "expected ..." (None: the type says enough), ``purpose`` is one sentence for the
    documentation. ``check`` is given the value, a secret as text, and raises ValueError for one that cannot work; nothing
    it says is shown. ``bounds`` are those of ``msgspec.Meta`` (ge, le, min_length, max_length, pattern).
    """
    return msgspec.Meta(title=expected, description=purpose, extra={"check": check}, **bounds)


class Key(NamedTuple):
    """One key of some settings: its type as annotated, its default (``msgspec.UNSET``: it is required), what it is for."""

    annotation: Any
    default: Any
    purpose: str


class ChannelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all settings of channels share: nothing unknown, nothing changeable, every ``check`` made."""

    def __post_init__(self) -> None:
        """Refuse what cannot work with a ValueError that names the key and not its value; what overrides it calls it."""
        for field in msgspec.structs.fields(type(self)):
            for meta, value in _checked(field.type, getattr(self, field.name)):
                if not passes(meta, value):
                    raise ValueError(f"{field.encode_name}: expected {meta.title}")


def passes(meta: msgspec.Meta, value: object) -> bool:
    """Return whether a value passes its setting's check."""
    check = (meta.extra or {}).get("check")
    try:
        if check is not None:
            check(value.reveal() if isinstance(value, Secret) else value)
    except ValueError:
        return False
    return True


def read(kind: type[S], data: object) -> S:
    """Return settings from plain data. Numbers and truths may be text, as the environment holds them.

    Raises msgspec.ValidationError, which names the first wrong key.
    """
    return msgspec.convert(data, kind, strict=False, dec_hook=convert_secret)


def convert_secret(kind: type, value: object) -> Secret:
    """Turn text into a ``Secret`` for msgspec; raises ValueError. An empty text is no secret but a variable left empty."""
    if kind is not Secret:
        raise NotImplementedError(kind.__name__)
    if not isinstance(value, str) or not value:
        raise ValueError("expected text")
    return Secret(value)


def keys_of(kind: type[ChannelSettings]) -> dict[str, Key]:
    """Return the keys of some settings as they are written in the file."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        field.encode_name: Key(hints[field.name], _default(field), _purpose(hints[field.name]))
        for field in msgspec.structs.fields(kind)
    }


def is_settings(kind: object) -> bool:
    """Whether a type is one of settings: those of a channel, or a part of them."""
    return isinstance(kind, type) and issubclass(kind, ChannelSettings)


def metas(annotation: object) -> list[msgspec.Meta]:
    """Return what ``setting`` said of a type, the outermost last."""
    return [extra for extra in get_args(given(annotation))[1:] if isinstance(extra, msgspec.Meta)]


def given(annotation: Any) -> Any:
    """Return a type without ``| None``, whichever way round it is written."""
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def bare(annotation: Any) -> Any:
    """Strip ``| None`` and ``Annotated``, in any order."""
    while (
        inner := get_args(given(annotation))[0] if _is_annotated(annotation) else given(annotation)
    ) is not annotation:
        annotation = inner
    return annotation


def _is_annotated(annotation: object) -> bool:
    return get_origin(given(annotation)) is Annotated


def _checked(annotation: object, value: object) -> Iterator[tuple[msgspec.Meta, object]]:
    """Yield each value that lies in ``value`` with what was said of it; parts that are settings check themselves."""
    if value is None:
        return
    yield from ((meta, value) for meta in metas(annotation))
    if isinstance(value, tuple):
        for one in value:
            yield from _checked(get_args(bare(annotation))[0], one)


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return _ABSENT if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _purpose(annotation: object) -> str:
    return next((meta.description for meta in reversed(metas(annotation)) if meta.description), "")
