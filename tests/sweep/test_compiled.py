"""What may be compiled, and how a copy is found again. That a compiled sweep gives the interpreter's
journals is compared by every compiled sweep itself; building one takes minutes."""

import dataclasses
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import sim
from controller import wire
from controller.config.model import LineConfig
from controller.core.state import CoreState
from controller.journal import records
from sim.sweep import compiled
from sim.sweep.compiled import PACKAGES, CannotCompileError, compiled_copy

SOURCES = Path(sim.__file__).parents[1]


def _read_by_their_types(kind: Any, seen: set[type]) -> Iterator[type]:
    """Every dataclass that a value of `kind` is made of."""
    for part in typing.get_args(kind):
        yield from _read_by_their_types(part, seen)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        yield kind
        for hint in typing.get_type_hints(kind, include_extras=False).values():
            yield from _read_by_their_types(hint, seen)


def test_no_other_module_is_compiled_whose_fields_are_read_by_their_types() -> None:
    roots = (*wire.KINDS.values(), *records.KINDS.values(), CoreState, LineConfig)
    seen: set[type] = set()
    found = {kind for root in roots for kind in _read_by_their_types(root, seen)}
    modules = {str(path.with_suffix("")).replace("/", ".") for path in compiled.files()}
    assert len(found) > 60
    typed = {f"controller.core.{name}" for name in compiled.TYPED.split()}
    assert {kind.__module__ for kind in found} & modules == typed & modules
    assert typed <= modules


class _Erased:
    """What is left of a class when it has been compiled."""

    __annotations__ = {"at_ns": int, "codes": tuple}


def test_a_compiled_class_tells_the_types_of_its_source_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("controller.core.erased")
    module.__file__ = str(tmp_path / "erased.cpython-311-x86_64-linux-gnu.so")
    module.Reading = _Erased  # type: ignore[attr-defined]
    (tmp_path / "erased.py").write_text(
        "class Reading:\n    at_ns: int\n    codes: tuple[str, ...] = ()\n    LIMIT = 3\n"
    )
    monkeypatch.setitem(sys.modules, "controller.core.erased", module)
    monkeypatch.setattr(compiled, "TYPED", "erased")
    compiled.tell_types()
    assert typing.get_type_hints(_Erased) == {"at_ns": int, "codes": tuple[str, ...]}


def test_the_types_of_what_is_not_compiled_are_left_alone() -> None:
    before = CoreState.__annotations__
    compiled.tell_types()
    assert CoreState.__annotations__ is before


def test_every_module_that_is_compiled_is_there_once() -> None:
    paths = list(compiled.files())
    assert len(paths) == len(set(paths)) > 60
    assert all((SOURCES / path).is_file() for path in paths)


def _sources(folder: Path) -> Path:
    for package in PACKAGES:
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    return folder


def test_a_copy_is_found_again_until_a_source_changes(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "sources")
    builds = tmp_path / "builds"
    place = builds / f"compiled-{compiled._digest(sources)}"
    place.mkdir(parents=True)
    assert compiled_copy(builds, sources) == place
    (sources / "plc" / "new.py").write_text("x = 1\n")
    with pytest.raises(CannotCompileError):
        compiled_copy(builds, sources)


def test_what_cannot_be_compiled_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    with pytest.raises(CannotCompileError, match=r"cannot be compiled .*settings\.py"):
        compiled_copy(builds, _sources(tmp_path / "sources"))
    assert list(builds.iterdir()) == []
