"""TOML text to frozen dataclasses, strictly; every mistake becomes one sentence with its line.

Nothing is coerced: an unknown key, a missing key, a wrong type or a number out of bounds is refused.
"""

import dataclasses
import difflib
import re
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from controller.config.key_lines import Path as KeyPath
from controller.config.key_lines import key_lines

T = TypeVar("T")

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_KEY = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_-]*)[ \t]*(?:=|$)")
# msgspec speaks of JSON types; a person who edits a TOML file does not.
_WORDS = {
    "`int`": "a whole number",
    "`float`": "a number with a point",
    "`str`": "a text in quotes",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
    # model.Host
    "a text in quotes matching regex '^[!-~]+$'": "a host name or an address in quotes",
}


class ConfigError(ValueError):
    """The configuration cannot be used; the text is one sentence for the person who wrote it."""


class TomlText:
    """One TOML file, parsed, that can say where a key stands."""

    def __init__(self, text: str, name: str) -> None:
        """`name` is how the file is called in sentences. ConfigError if the text is no TOML."""
        self._name = name
        self._text = text
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = _broken_place(text, str(error))
            raise ConfigError(f"{name}: this is not valid TOML: {error}{place}.") from error
        except RecursionError as error:
            raise ConfigError(f"{name}: lists or tables are nested too deeply.") from error

    @classmethod
    def read(cls, file: Path) -> "TomlText":
        return cls(read_text(file), file.name)

    def error(self, path: KeyPath, sentence: str) -> ConfigError:
        """A ConfigError for the key at `path` (or its nearest ancestor that has a line)."""
        lines = key_lines(self._text)
        while path and path not in lines:
            path = path[:-1]
        line = lines.get(path)
        place = self._name if line is None else f"{self._name}, line {line}"
        return ConfigError(f"{place}: {sentence}")

    def convert(self, cls: type[T], data: object, path: KeyPath) -> T:
        """`data`, which stands at `path`, as `cls`. ConfigError names key, line and what is expected."""
        self._refuse_unknown_keys(cls, data, path)
        try:
            return msgspec.convert(data, cls, dec_hook=_path_of)
        except msgspec.ValidationError as error:
            raise self._missing(cls, data, path) or self._explained(
                cls, str(error), path
            ) from error

    def _missing(self, cls: object, data: object, path: KeyPath) -> ConfigError | None:
        """All keys that the first incomplete table lacks, in one sentence; None if none is incomplete."""
        item = _item_type(cls)
        if item is not None and isinstance(data, list):
            found = (self._missing(item, each, (*path, at)) for at, each in enumerate(data))
            return next(filter(None, found), None)
        if not (dataclasses.is_dataclass(cls) and isinstance(data, dict)):
            return None
        lacking = [f"'{key}'" for key in _required(cls) if key not in data]
        if lacking:
            keys = "the key" if len(lacking) == 1 else "the keys"
            return self.error(path, f"{_shown(path)} lacks {keys} {', '.join(lacking)}.")
        known = typing.get_type_hints(cls)
        deeper = (self._missing(known[key], value, (*path, key)) for key, value in data.items())
        return next(filter(None, deeper), None)

    def _explained(self, cls: object, message: str, root: KeyPath) -> ConfigError:
        match = _PLACE.match(message)
        assert match is not None, "every text matches"
        path = root + _steps(match["path"] or "")
        what = match["what"]
        for technical, plain in _WORDS.items():
            what = what.replace(technical, plain)
        valid = (
            f"; valid values are {choices}" if (choices := _choices(cls, path[len(root) :])) else ""
        )
        return self.error(path, f"{_shown(path)}: {what[0].lower()}{what[1:]}{valid}.")

    def _refuse_unknown_keys(self, cls: object, data: object, path: KeyPath) -> None:
        item = _item_type(cls)
        if item is not None and isinstance(data, list):
            for index, element in enumerate(data):
                self._refuse_unknown_keys(item, element, (*path, index))
        if not (dataclasses.is_dataclass(cls) and isinstance(data, dict)):
            return
        known = typing.get_type_hints(cls)
        for key, value in data.items():
            if key not in known:
                raise self.unknown_key((*path, key), known)
            self._refuse_unknown_keys(known[key], value, (*path, key))

    def unknown_key(self, path: KeyPath, known: typing.Iterable[str]) -> ConfigError:
        """The error for a key that is none of `known`: names the nearest one."""
        where = f" in {_shown(path[:-1])}" if len(path) > 1 else ""
        return self.error(
            path, f"unknown key '{path[-1]}'{where}; {nearest(str(path[-1]), known)}."
        )


def _broken_place(text: str, message: str) -> str:
    """The key at or above the place that tomllib names, and the line where tomllib names none."""
    named = _LINE.search(message)
    number = int(named[1]) if named else len(text.rstrip().splitlines())
    keys = [key for line in text.splitlines()[:number] if (key := _KEY.match(line))]
    at_line = "" if named else f", line {number}"
    return f"{at_line}, at the key '{keys[-1][1]}'" if keys else at_line


def read_text(file: Path) -> str:
    """The file as UTF-8 text, line ends untouched: a rule file is named by its bytes.

    ConfigError in one sentence if it cannot be read.
    """
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: byte {error.start} is not UTF-8 text.") from error


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """'the nearest valid name is ...', or all valid names where none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"the nearest valid name is '{close[0]}'"
    return f"valid names are {', '.join(names)}"


def _item_type(cls: object) -> object | None:
    """`X` of `tuple[X, ...]`, else None."""
    arguments = typing.get_args(cls)
    return arguments[0] if typing.get_origin(cls) is tuple and arguments else None


def _required(cls: object) -> list[str]:
    """Names of the fields without a default."""
    assert dataclasses.is_dataclass(cls)
    none = dataclasses.MISSING
    return [
        item.name
        for item in dataclasses.fields(cls)
        if item.default is none and item.default_factory is none
    ]


def _choices(cls: object, path: KeyPath) -> str:
    """The texts that a field of type Literal takes, empty for any other field."""
    if len(path) != 1 or not isinstance(path[0], str) or not dataclasses.is_dataclass(cls):
        return ""
    kind = typing.get_type_hints(cls).get(path[0])
    if typing.get_origin(kind) is not typing.Literal:
        return ""
    return " and ".join(f"'{choice}'" for choice in typing.get_args(kind))


def _path_of(cls: type[Any], value: Any) -> Any:
    """Decoding hook for the one type that msgspec does not know."""
    if cls is not Path or not isinstance(value, str) or "\0" in value:
        raise ValueError("Expected a path in quotes")
    return Path(value)


def _steps(path: str) -> KeyPath:
    return tuple(name or int(index) for name, index in _STEP.findall(path))


def _shown(path: KeyPath) -> str:
    """`('line', 'eyes', 2, 'number')` as a person would point at it: `line.eyes[3].number`."""
    shown = ""
    for step in path:
        shown += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if shown else step
    return shown or "the file"
