"""`python -m api --config line.toml [--config another.toml]`: the status page's process."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from api.app import run_api
from controller import notify
from controller.config import ApiConfig, ConfigError, check_together, load


class AddressTaken(Exception):
    """Somebody else listens where the page should."""


def _refuse_taken(api: ApiConfig) -> None:
    """Uvicorn would say it too, but amid its own words and with an exit code that tells nothing."""
    where = f"{api.host}:{api.port}"
    try:
        family, *_, address = socket.getaddrinfo(api.host, api.port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except socket.gaierror as error:
        raise AddressTaken(f"{where} is no address of this machine: {error.strerror}.") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise AddressTaken(f"the status page cannot listen at {where}: {reason}.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 stopped in order, 1 could not start (one sentence on stderr)."""
    parser = argparse.ArgumentParser(prog="parcelgate-api", description="the status page")
    parser.add_argument("--config", type=Path, required=True, action="append", help="line.toml")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        configs = [load(file) for file in options.config]
        check_together(configs)
        _refuse_taken(configs[0].api)
        asyncio.run(run_api(configs[0], notify.ready, configs[1:]))
    except (ConfigError, AddressTaken) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
