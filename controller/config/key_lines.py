"""On which line of a TOML text each key stands, so that a mistake can be named by its line.

`tomllib` gives values without places. This scanner runs only after `tomllib` accepted the text, so
it may trust the grammar: it skips strings, comments and brackets and notes keys. It must never
judge a value.
"""

import re

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*""")
_STRING = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"\"\"(?!\")|"
    + r"'''.*?'''(?!')|"
    + r'"(?:[^"\\\n]|\\.)*"|'
    + r"'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}\n#]*")


def key_lines(text: str) -> dict[Path, int]:
    """Line number (from 1) of every key, table header and array element of a valid TOML text."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._array_sizes: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._array_table()
            elif self._text[self._at] == "[":
                self._at += 1
                table = self._resolve(self._key())
                self._note(table)
                self._at += 1
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _array_table(self) -> Path:
        self._at += 2
        name = self._resolve(self._key())
        index = self._array_sizes.get(name, 0)
        self._array_sizes[name] = index + 1
        self._note(name)
        self._note((*name, index))
        self._at += 2
        return (*name, index)

    def _resolve(self, name: Path) -> Path:
        """`[a.b]` below `[[a]]` belongs to the newest element of `a`."""
        path: Path = ()
        for part in name[:-1]:
            path = (*path, part)
            if path in self._array_sizes:
                path = (*path, self._array_sizes[path] - 1)
        return (*path, name[-1])

    def _pair(self, table: Path) -> None:
        path = (*table, *self._key())
        self._note(path)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        opening = self._text[self._at]
        if opening in "[{":
            self._at += 1
            self._members(path, is_array=opening == "[")
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_PLAIN)

    def _members(self, path: Path, *, is_array: bool) -> None:
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] not in "]}":
            if is_array:
                self._note((*path, index))
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _key(self) -> Path:
        parts: list[str] = []
        while match := _KEY_PART.match(self._text, self._at):
            self._at = match.end()
            parts.append(next(part for part in match.groups() if part is not None))
            if self._text[self._at] != ".":
                break
            self._at += 1
        return tuple(parts)

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, self._text.count("\n", 0, self._at) + 1)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, "tomllib accepted the text, so the pattern matches"
        self._at = match.end()
