"""The direction of imports, and what the line process may have in memory."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN_IN_LINE = ("numpy", "cv2", "fastapi", "starlette", "uvicorn", "lxml", "jinja2")


def contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return list(settings["contracts"])


def test_import_contracts_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_contract_has_exceptions() -> None:
    for contract in contracts():
        assert "ignore_imports" not in contract


def test_every_module_of_the_controller_has_its_place_in_the_layers() -> None:
    layers = next(contract["layers"] for contract in contracts() if contract["type"] == "layers")
    assert isinstance(layers, list)
    placed = {name.strip(" ()") for row in layers for name in row.split("|")}
    present = {
        f"controller.{path.stem}"
        for path in (ROOT / "controller").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert present <= placed


@pytest.mark.parametrize(
    "module",
    ["controller.app", "controller.runtime", "controller.wire", "controller.config", "plc"],
)
def test_the_line_process_never_loads_pixels_web_or_xml(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} does not exist yet")
    program = (
        f"import sys, {module}, pkgutil, importlib\n"
        f"package = sys.modules['{module}']\n"
        "for found in pkgutil.walk_packages(getattr(package, '__path__', []), package.__name__ + '.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        f"print([name for name in {FORBIDDEN_IN_LINE!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
