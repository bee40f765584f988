"""One honest message of every kind that crosses a process border, made from its type alone."""

import dataclasses
import enum
import types
import typing
from typing import Any

from controller.wire import KINDS

_PLAIN: dict[Any, Any] = {int: 1, str: "text", bool: True, bytes: b"bytes"}


def specimen(wanted: Any) -> Any:
    """A value of the type `wanted`."""
    if wanted in _PLAIN:
        return _PLAIN[wanted]
    if dataclasses.is_dataclass(wanted):
        hints = typing.get_type_hints(wanted)
        assert isinstance(wanted, type)
        return wanted(
            **{field.name: specimen(hints[field.name]) for field in dataclasses.fields(wanted)}
        )
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return next(iter(wanted))
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is tuple:
        kinds = arguments[:1] * 2 if Ellipsis in arguments else arguments
        return tuple(specimen(kind) for kind in kinds)
    if origin in (typing.Union, types.UnionType):
        return specimen(arguments[0])
    raise TypeError(f"no specimen of {wanted}")


MESSAGES = [specimen(cls) for cls in KINDS.values()]
