"""Starting the PLC on node-opcua (tests/plc/nodeopcua): its packages by npm, its process, its certificate.

The packages are installed once into build/, by the lock file's hash, and used by every later run.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("nodeopcua")
PREFIX = "L1."
NODE_MAJOR_MIN = 18
_INSTALL_LIMIT_S = 120
_NPM_CI = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")


def install(cache: Path = ROOT / "build") -> Path | str:
    """The folder `node_modules` with what package-lock.json names, or the reason why there is none."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        return f"Node.js {NODE_MAJOR_MIN} or newer is needed, and {version} is installed"
    lock = (PROGRAM / "package-lock.json").read_bytes()
    packages = cache / f"nodeopcua-{hashlib.sha256(lock).hexdigest()[:16]}" / "node_modules"
    if packages.is_dir():
        return packages
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="npm-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROGRAM / name, folder)
        if (refused := _npm_ci(Path(folder))) is not None:
            return refused
        packages.parent.mkdir(exist_ok=True)
        try:
            Path(folder, "node_modules").rename(packages)
        except OSError:
            if not packages.is_dir():  # else another run was quicker
                raise
    return packages


def _npm_ci(folder: Path) -> str | None:
    try:
        done = subprocess.run(
            _NPM_CI, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"npm could not install node-opcua within {_INSTALL_LIMIT_S} s"
    if done.returncode == 0:
        return None
    said = re.search(r"^npm (?:error|ERR!) code (\w+)", done.stderr, re.MULTILINE)
    return f"npm could not install node-opcua ({said[1] if said else 'it gives no reason'})"


class NodePlc:
    """A running PLC, which keeps key and certificate in a folder of its own; ended on leaving."""

    def __init__(self, program: Path, pki: Path, *arguments: str) -> None:
        self.port = 0
        self.certificate = pki / "server" / "own" / "certs" / "certificate.pem"
        self._program = program
        self._arguments = ("--pki", str(pki), "--prefix", PREFIX, *arguments)
        self._process = self._started()

    def __enter__(self) -> "NodePlc":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._wait()

    def kill(self) -> None:
        self._process.kill()
        self._wait()

    def start_again(self) -> None:
        """After `kill`: the same PLC on the same port."""
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        """The process, when its first scan is done and it listens."""
        process = subprocess.Popen(
            ["node", "main.js", "--port", str(self.port), *self._arguments],
            cwd=self._program,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:  # the library may say something before
            match line.split():
                case ["P", port]:
                    self.port = int(port)
                    return process
        raise AssertionError(f"the PLC did not start; it ended with {process.wait()}")

    def _wait(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()


def program(packages: Path, folder: Path) -> Path:
    """A copy of the program in `folder` that finds its packages."""
    copy = folder / "program"
    shutil.copytree(PROGRAM, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(packages, target_is_directory=True)
    return copy
