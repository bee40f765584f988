"""The sweep's own modules, compiled by mypyc: the same sources, in C.

A long sweep builds a copy of the packages beside it and goes on in that copy. Nothing else ever runs
compiled, and a compiled sweep repeats every hundredth of its runs with the interpreter and compares the
journals' hashes (`sim/sweep/commands.py`); docs/decisions/0044.

A compiled class no longer tells the types of its fields, by which msgspec reads it: for the modules in
`TYPED` the copy's process takes them from the source (`tell_types`) before anybody asks. Other modules
whose classes are read so are not compiled.
"""

import ast
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sim

PACKAGES = ("controller", "plc", "vision", "sim", "api")
# In the order in which they import each other.
TYPED = "settings plc_records events commands parcel snapshot belt state"
MODULES = {
    "controller/core": f"{TYPED} customs deciding identity labels line line_state links list_news matching"
    " readings tracking turn units verdict",
    "controller/journal": "batcher chain committer drafting",
    "controller/runtime": "dispatch",
    "plc": "decision_slots exchange header polled_link record_codec register_map ring_reader",
    "sim": "beams belt contents diverters infeed invariants judge parcels pending plant_truth plc_drive"
    " plc_gates plc_host plc_io plc_quiet plc_ring plc_rows plc_tracking reason_truth sensors soft_plc"
    " truth virtual_disk workload world wrong_release",
    "sim/sweep": "agenda fault_windows operator recovery run scene verdict_on_run virtual_host"
    " virtual_journal virtual_link virtual_lists virtual_plant virtual_vision virtual_wire workload",
}
# The command line in a process that takes its modules from PYTHONPATH first.
_MAIN = (
    "import sys; from sim.sweep.compiled import tell_types; tell_types();"
    " from controller.cli import main; sys.exit(main())"
)


class CannotCompileError(Exception):
    """One sentence."""


def is_compiled() -> bool:
    """Whether this process runs the compiled copy."""
    from sim.sweep import run

    return Path(run.__file__).suffix != ".py"


def tell_types() -> None:
    """Give the compiled classes of `TYPED` the annotations that stand in their sources."""
    for name in TYPED.split():
        module = importlib.import_module(f"controller.core.{name}")
        place = Path(module.__file__ or "")
        if place.suffix == ".py":
            continue
        source = (place.parent / f"{name}.py").read_text("utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                getattr(module, node.name).__annotations__ = _annotations(node)


def _annotations(node: ast.ClassDef) -> dict[str, str]:
    return {
        item.target.id: ast.unparse(item.annotation)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }


def compiled_copy(builds: Path, sources: Path | None = None) -> Path:
    """The folder under `builds` with these sources' compiled copy, built now if it is not there.

    It takes a minute or two. CannotCompileError if the compiler is missing or refuses.
    """
    sources = sources or Path(sim.__file__).parents[1]
    place = builds / f"compiled-{_digest(sources)}"
    if place.exists():
        return place
    builds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=builds) as folder:
        copy = Path(folder) / "copy"
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__", "*.so")
            shutil.copytree(sources / package, copy / package, ignore=ignored)
        _compile(copy)
        shutil.rmtree(copy / "build")
        copy.rename(place)
    return place


def go_on_in(place: Path, arguments: list[str]) -> None:
    """Replace this process by `parcelgate ARGUMENTS` with the modules in `place`."""
    command = [sys.executable, "-P", "-c", _MAIN, *arguments]
    paths = os.pathsep.join([str(place.resolve()), os.environ.get("PYTHONPATH", "")])
    os.execve(command[0], command, os.environ | {"PYTHONPATH": paths})


def run_interpreted(arguments: list[str]) -> str:
    """What `parcelgate ARGUMENTS` prints in a process without the compiled copy that this one runs in."""
    _, _, paths = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    command = [sys.executable, "-P", "-c", _MAIN, *arguments]
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=False
    ).stdout


def files() -> Iterator[Path]:
    """What is compiled, relative to the packages' parent."""
    for folder, names in MODULES.items():
        for name in names.split():
            yield Path(folder, f"{name}.py")


def _digest(sources: Path) -> str:
    found = hashlib.sha256(sys.version.encode())
    for package in PACKAGES:
        for path in sorted((sources / package).rglob("*.py")):
            found.update(f"{path.relative_to(sources)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _compile(copy: Path) -> None:
    """In place. mypyc is a part of mypy; it wants setuptools, a C compiler and Python's headers."""
    command = [sys.executable, "-m", "mypyc", *map(str, files())]
    environment = os.environ | {"MYPYC_OPT_LEVEL": "2", "MYPYC_DEBUG_LEVEL": "0"}
    try:
        ran = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CannotCompileError(f"The compiler cannot be run: {error}.") from error
    if ran.returncode:
        said = [line for line in (ran.stdout + ran.stderr).splitlines() if "rror" in line]
        last = (said or ["it says nothing"])[-1].strip()
        raise CannotCompileError(
            f"The sweep cannot be compiled (mypy, setuptools, gcc and Python's headers): {last}"
        )
