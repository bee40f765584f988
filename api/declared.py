"""The declared list beside a parcel, as the store holds it now; a page is never lost for it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from controller.declared_lists.database import StoreError
from controller.declared_lists.details import ListDetails, list_by_key

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Declared:
    """`details` of the list, or None with the sentence `why` where the store cannot be read."""

    details: ListDetails | None
    why: str = ""


class DeclaredLists:
    """Reads one list at a time; keeps no connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, list_key: str) -> Declared:
        try:
            return Declared(list_by_key(self._path, list_key))
        except StoreError as error:
            log.warning("%s", error)
            return Declared(None, str(error))
