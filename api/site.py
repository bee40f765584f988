"""What the page serves: the lines, their feeds, the records, the lists, the words. Built once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import formats, i18n
from api.declared import DeclaredLists
from api.feed import Feed
from api.mimic import Mimic, draw
from controller.config import LineConfig
from controller.core.settings import LineSettings
from controller.interfaces import Clock
from controller.records.query import Records

HERE = Path(__file__).parent
STATIC = HERE / "static"


@dataclass(frozen=True, slots=True)
class LinePage:
    """One conveyor as pages need it."""

    settings: LineSettings
    mimic: Mimic
    feed: Feed


@dataclass(frozen=True, slots=True)
class Site:
    """Shared by every request; only the feeds change."""

    lines: dict[str, LinePage]
    records: Records
    lists: DeclaredLists
    evidence_dir: Path
    words: dict[str, i18n.Words]
    templates: Environment
    static_digest: str
    clock: Clock


def build_site(configs: Sequence[LineConfig], clock: Clock) -> Site:
    """The site of the lines of one state directory (the first config's)."""
    first = configs[0]
    return Site(
        lines={
            config.line.name: LinePage(
                config.line,
                draw(config.line),
                Feed(config.line.name, config.line_socket, clock),
            )
            for config in configs
        },
        records=Records(first.paths.state_dir),
        lists=DeclaredLists(first.lists_db),
        evidence_dir=first.evidence_dir,
        words=i18n.load(),
        templates=_templates(),
        static_digest=_digest(STATIC),
        clock=clock,
    )


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["formats"] = formats
    return environment


def _digest(folder: Path) -> str:
    """One name for the content of all static files: it is part of their address."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _site(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)
    return site


def _words(request: Request, site: Annotated[Site, Depends(_site)]) -> i18n.Words:
    lang = i18n.choose(
        request.query_params.get("lang"),
        request.cookies.get("lang"),
        request.headers.get("accept-language"),
    )
    return site.words[lang]


TheSite = Annotated[Site, Depends(_site)]
TheWords = Annotated[i18n.Words, Depends(_words)]
