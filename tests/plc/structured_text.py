"""The Structured Text of docs/plc-interface.md as a running program: a translator for the subset it uses.

IEC 61131-3 to Python source, with the standard's precedence and with every assignment wrapped to its
type. What the subset does not have is a SyntaxError, so that the document cannot quietly grow out of it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"\s+|\(\*.*?\*\)|(?P<number>16#[0-9A-Fa-f]+|\d+)(?!\.\d)"
    r"|(?P<range>\.\.)|(?P<name>[A-Za-z_]\w*)|(?P<symbol>:=|<>|<=|>=|[-+*/()\[\],;:.=<>])",
    re.DOTALL,
)
_BITS = {"BOOL": 1, "WORD": 16, "UINT": 16, "UDINT": 32, "ULINT": 64}
_SIGNED = {"INT": 16, "DINT": 32}
_BINARY = (
    {"OR": "|"},
    {"XOR": "^"},
    {"AND": "&"},
    {"=": "==", "<>": "!="},
    {"<": "<", ">": ">", "<=": "<=", ">=": ">="},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "//", "MOD": "%"},
)
_BUILT_IN = {"SHR": "_shr", "ABS": "abs"}


def wrapped(kind: str, value: Any) -> Any:
    """`value` as a variable of this type holds it."""
    if kind == "BOOL":
        return bool(value)
    if kind in _BITS:
        return value & (1 << _BITS[kind]) - 1
    half = 1 << _SIGNED[kind] - 1
    return (value + half) % (2 * half) - half


@dataclass
class Array:
    """`items` from index `low` on; an element is of type `kind` (or an Array or a struct)."""

    kind: str
    low: int
    items: list[Any]


class Struct:
    """Fields by name."""


@dataclass
class _Type:
    """A simple type or struct by name, or an array of it."""

    name: str
    ranges: list[tuple[int, int]] = field(default_factory=list)


class Program:
    """A translated source: variables in `variables`, functions callable by `call`."""

    def __init__(self, source: str) -> None:
        self.structs: dict[str, dict[str, _Type]] = {}
        self.types: dict[str, _Type] = {}
        self.variables: dict[str, Any] = {}
        self.returns: dict[str, str] = {}
        self._tokens = _tokens(source)
        self._at = 0
        self._local: dict[str, _Type] = {}
        self._globals: dict[str, Any] = {"_g": self.variables, "_w": wrapped, "_shr": _shr}
        self._sources: list[str] = []
        while self._at < len(self._tokens):
            self._declaration()
        exec("\n".join(self._sources), self._globals)

    def call(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = self._globals[f"_f_{name}"]
        return function

    # --- tokens -------------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _next(self, wanted: str = "") -> str:
        token = self._peek()
        if wanted and token != wanted:
            around = " ".join(self._tokens[max(0, self._at - 12) : self._at + 3])
            raise SyntaxError(f"{wanted} expected: {around}")
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        found = self._peek() == token
        self._at += found
        return found

    # --- declarations -------------------------------------------------------------------------------

    def _declaration(self) -> None:
        keyword = self._next()
        if keyword == "VAR_GLOBAL":
            _ = self._accept("CONSTANT") or self._accept("RETAIN")
            for name, kind, initial in self._variables():
                self.types[name] = kind
                self.variables[name] = self._value(kind, initial)
        elif keyword == "TYPE":
            name = self._next()
            self._next(":")
            self._next("STRUCT")
            self.structs[name] = {}
            while not self._accept("END_STRUCT"):
                member = self._next()
                self._next(":")
                self.structs[name][member] = self._type()
                self._next(";")
            self._next("END_TYPE")
        elif keyword in ("FUNCTION", "PROGRAM"):
            self._function(keyword)
        else:
            raise SyntaxError(f"{keyword} where a declaration begins")

    def _variables(self) -> list[tuple[str, _Type, Any]]:
        """Up to END_VAR: name, type, initial value (None without)."""
        found = []
        while not self._accept("END_VAR"):
            name = self._next()
            self._next(":")
            kind = self._type()
            initial = self._initial() if self._accept(":=") else None
            self._next(";")
            found.append((name, kind, initial))
        return found

    def _type(self) -> _Type:
        if not self._accept("ARRAY"):
            return _Type(self._next())
        ranges = []
        self._next("[")
        while True:
            low = int(self._next())
            self._next("..")
            ranges.append((low, int(self._next())))
            if not self._accept(","):
                break
        self._next("]")
        self._next("OF")
        return _Type(self._next(), ranges)

    def _initial(self) -> Any:
        if self._accept("["):
            values = [self._initial()]
            while self._accept(","):
                values.append(self._initial())
            self._next("]")
            return values
        token = self._next()
        return {"TRUE": True, "FALSE": False}[token] if token in ("TRUE", "FALSE") else _int(token)

    def _value(self, kind: _Type, initial: Any = None) -> Any:
        if kind.ranges:
            (low, high), *rest = kind.ranges
            inner = _Type(kind.name, rest)
            count = high - low + 1
            values = initial if initial is not None else [None] * count
            assert len(values) == count, f"{len(values)} initial values for {count} elements"
            return Array(kind.name, low, [self._value(inner, value) for value in values])
        if kind.name in self.structs:
            struct = Struct()
            for member, member_kind in self.structs[kind.name].items():
                setattr(struct, member, self._value(member_kind))
            return struct
        return wrapped(kind.name, initial or 0)

    def _function(self, keyword: str) -> None:
        name = self._next()
        self._local, parameters, initial = {}, [], []
        if keyword == "FUNCTION":
            self._next(":")
            self._local[name] = self._type()
            initial.append(f"{name} = {self._value(self._local[name])!r}")
        while self._peek() in ("VAR_INPUT", "VAR"):
            section = self._next()
            for variable, kind, value in self._variables():
                self._local[variable] = kind
                if section == "VAR_INPUT":
                    parameters.append(variable)
                else:
                    initial.append(f"{variable} = {self._value(kind, value)!r}")
        body = self._statements(f"END_{keyword}")
        self._next(f"END_{keyword}")
        returned = [f"return {name}"] if keyword == "FUNCTION" else []
        taken = [f"{p} = _w({self._local[p].name!r}, {p})" for p in parameters]
        lines = [*taken, *initial, *body, *returned]
        self._sources.append(f"def _f_{name}({', '.join(parameters)}):")
        self._sources += [f"    {line}" for line in lines] or ["    pass"]

    # --- statements ---------------------------------------------------------------------------------

    def _statements(self, *ends: str) -> list[str]:
        lines: list[str] = []
        while self._peek() not in ends:
            lines += self._statement()
        return lines or ["pass"]

    def _statement(self) -> list[str]:
        keyword = self._peek()
        special = {"IF": self._if, "FOR": self._for, "WHILE": self._while, "CASE": self._case}
        if keyword in special:
            self._next()
            lines = special[keyword]()
            self._next(";")
            return lines
        if self._peek(1) == "(":
            line = self._expression()
            self._next(";")
            return [line]
        target, kind = self._place()
        self._next(":=")
        value = self._expression()
        self._next(";")
        return [f"{target} = _w({kind!r}, {value})"]

    def _if(self) -> list[str]:
        lines, word = [], "if"
        while True:
            condition = self._expression()
            self._next("THEN")
            lines += [f"{word} {condition}:", *_indented(self._statements(*_IF_ENDS))]
            word = "elif"
            if self._accept("ELSIF"):
                continue
            if self._accept("ELSE"):
                lines += ["else:", *_indented(self._statements("END_IF"))]
            self._next("END_IF")
            return lines

    def _for(self) -> list[str]:
        name = self._next()
        self._next(":=")
        first = self._expression()
        self._next("TO")
        last = self._expression()
        self._next("DO")
        lines = [f"for {name} in range({first}, {last} + 1):"]
        lines += _indented(self._statements("END_FOR"))
        self._next("END_FOR")
        return lines

    def _while(self) -> list[str]:
        condition = self._expression()
        self._next("DO")
        lines = [f"while {condition}:", *_indented(self._statements("END_WHILE"))]
        self._next("END_WHILE")
        return lines

    def _case(self) -> list[str]:
        selector = self._expression()
        self._next("OF")
        lines = [f"_case = {selector}"]
        word = "if"
        while not self._accept("END_CASE"):
            label = _int(self._next())
            self._next(":")
            body: list[str] = []
            while self._peek() != "END_CASE" and self._peek(1) != ":":
                body += self._statement()
            lines += [f"{word} _case == {label}:", *_indented(body)]
            word = "elif"
        return lines

    # --- expressions --------------------------------------------------------------------------------

    def _expression(self, level: int = 0) -> str:
        if level == len(_BINARY):
            return self._unary()
        left = self._expression(level + 1)
        while self._peek() in _BINARY[level]:
            operator = _BINARY[level][self._next()]
            left = f"({left} {operator} {self._expression(level + 1)})"
        return left

    def _unary(self) -> str:
        if self._accept("NOT"):
            return f"(not {self._unary()})"
        if self._accept("-"):
            return f"(-{self._unary()})"
        if self._accept("("):
            inner = self._expression()
            self._next(")")
            return f"({inner})"
        token = self._peek()
        if token[0].isdigit():
            return str(_int(self._next()))
        if token in ("TRUE", "FALSE"):
            return str(self._next() == "TRUE")
        return self._call() if self._peek(1) == "(" else self._place()[0]

    def _call(self) -> str:
        name = self._next()
        self._next("(")
        arguments = []
        while not self._accept(")"):
            arguments.append(self._expression())
            self._accept(",")
        conversion = re.fullmatch(r"[A-Z]+_TO_([A-Z]+)", name)
        if conversion:
            return f"_w({conversion[1]!r}, {arguments[0]})"
        return f"{_BUILT_IN.get(name, f'_f_{name}')}({', '.join(arguments)})"

    def _place(self) -> tuple[str, str]:
        """A variable with its indices and member: Python text and type."""
        name = self._next()
        kind = self._local.get(name) or self.types.get(name)
        if kind is None:
            raise SyntaxError(f"{name} is not declared")
        text, kind_name = (name if name in self._local else f"_g[{name!r}]"), kind.name
        if self._accept("["):
            for number, (low, _) in enumerate(kind.ranges):
                if number:
                    self._next(",")
                text += f".items[_i({self._expression()}, {low})]"
            self._next("]")
        if self._accept("."):
            member = self._next()
            text, kind_name = f"{text}.{member}", self.structs[kind_name][member].name
        self._globals["_i"] = _index
        return text, kind_name


_IF_ENDS = ("ELSIF", "ELSE", "END_IF")


def _tokens(source: str) -> list[str]:
    tokens, at = [], 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            raise SyntaxError(f"not of this subset: {source[at : at + 40]!r}")
        at = found.end()
        if found.lastgroup:
            tokens.append(found.group())
    return tokens


def _int(token: str) -> int:
    return int(token[3:], 16) if token.startswith("16#") else int(token)


def _index(index: int, low: int) -> int:
    assert index >= low, f"index {index} lies before {low}"
    return index - low


def _shr(value: int, count: int) -> int:
    return value >> count


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
