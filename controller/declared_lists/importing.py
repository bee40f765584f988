"""Documents into the store: parse each by itself, put what was understood into one durable batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.declared_lists.declared import Document, MessageError
from controller.declared_lists.limits import AHEAD_S_MAX
from controller.declared_lists.messages import read_document
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from controller.wire import ImportDone, ImportFault

_BEIJING_AHEAD = timedelta(hours=8)
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one document. `lists` and `receipts` count what was understood, new or not."""

    name: str
    lists: int
    receipts: int
    errors: tuple[MessageError, ...]
    other: str

    @property
    def understood(self) -> bool:
        return bool(self.lists or self.receipts)

    def done(self, store_seq: int) -> ImportDone:
        """As it goes over a socket."""
        return ImportDone(
            messages=int(self.understood),
            lists=self.lists,
            receipts=self.receipts,
            errors=tuple(
                ImportFault(error.message, error.field, error.why) for error in self.errors
            ),
            store_seq=store_seq,
            other=self.other,
        )


def import_sources(store: Store, sources: Sequence[Source], utc_ns: int) -> list[Imported]:
    """Take `sources`, in their order; durable on return. StoreError: nothing of them was taken."""
    latest_time = latest_time_at(utc_ns)
    read = [(source, _read(source, latest_time)) for source in sources]
    with store.batch():
        for source, document in read:
            _put(store, source, document, utc_ns)
    return [
        Imported(
            source.name,
            len(document.lists),
            len(document.receipts),
            document.errors,
            document.other,
        )
        for source, document in read
    ]


def latest_time_at(utc_ns: int) -> str:
    """The furthest Beijing time (YYYYMMDDhhmmss) a message may carry at `utc_ns`."""
    latest = datetime.fromtimestamp(utc_ns // _NS_PER_S + AHEAD_S_MAX, UTC) + _BEIJING_AHEAD
    return latest.strftime("%Y%m%d%H%M%S")


def _read(source: Source, latest_time: str) -> Document:
    try:
        return read_document(source.data, latest_time)
    except MessageError as error:
        return Document("", errors=(error,))


def _put(store: Store, source: Source, document: Document, utc_ns: int) -> None:
    if not document.lists and not document.receipts:
        return
    message_id = store.keep_message(document.message_type, source.name, source.data, utc_ns)
    for declared in document.lists:
        store.put_list(declared, message_id)
    for receipt in document.receipts:
        store.put_receipt(receipt, message_id)
