"""What the house style asks of every source file, read from the syntax trees."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "plc", "vision", "sim", "api")
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
# A ratchet: a length here may shrink, never grow, and nothing is added.
# The auditor's verifier is one file by contract (docs/decisions/0021).
LONG_FILES = {"controller/audit/verify_audit.py": 575}
# The pure core needs nothing else of the standard library; each has no I/O, clock, chance or float.
CORE_STANDARD_LIBRARY = {
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "itertools",
    "operator",
    "typing",
}


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def every_source(*folders: str) -> pytest.MarkDecorator:
    files = sources(*folders)
    return pytest.mark.parametrize("file", files, ids=[name_of(file) for file in files])


@every_source(*PACKAGES, "tests")
def test_functions_fit_a_screen_and_files_a_sitting(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONG_FILES.get(name_of(file), FILE_LINES_MAX)
    long = {
        f"{node.name}, line {node.lineno}": node.end_lineno - node.lineno + 1
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert not long


@every_source(*PACKAGES)
def test_a_module_says_what_it_is(file: Path) -> None:
    if tree_of(file).body:
        assert ast.get_docstring(tree_of(file)), "a module opens with a short prose header"


@every_source("controller/core")
def test_the_core_is_integers_and_the_standard_library(file: Path) -> None:
    tree = tree_of(file)
    floats = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
    ]
    divisions = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
    ]
    names = {
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"
    }
    assert (floats, divisions, names) == ([], [], set())
    outside = {name for name in imported(tree) if not name.startswith("controller.core")}
    assert outside <= CORE_STANDARD_LIBRARY


@every_source("tests")
def test_tests_use_real_parts_and_no_sleeping(file: Path) -> None:
    tree = tree_of(file)
    assert not {"unittest.mock", "mock", "time"} & set(imported(tree))
    sleeps = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and _is_time(node.value)
    ]
    assert not sleeps


@every_source(*PACKAGES)
def test_production_never_asks_whether_it_is_tested(file: Path) -> None:
    asked = {"testing", "is_testing", "is_test", "simulation", "is_simulation", "pytest"}
    words = {
        node.id if isinstance(node, ast.Name) else node.attr
        for test in ast.walk(tree_of(file))
        if isinstance(test, ast.If | ast.IfExp)
        for node in ast.walk(test.test)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert not {word for word in words if word.lower() in asked}


def _is_time(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "time"


def test_the_standard_library_list_is_of_the_standard_library() -> None:
    assert {name.split(".")[0] for name in CORE_STANDARD_LIBRARY} <= sys.stdlib_module_names
