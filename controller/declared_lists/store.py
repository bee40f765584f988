"""The declared-list store's one writer. Acknowledged means durable: a batch counts once it is left.

Every message is kept as it came, every receipt too; a list keeps its present content and the digest of
every content it had, so that importing a message again changes nothing and an old message never
overwrites a newer one. The buyer's ID number is kept as an HMAC and its last four characters.
"""

import hashlib
import hmac
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import Self

import apsw
import msgspec

from controller.declared_lists import database, settle, store_file
from controller.declared_lists.database import StoreError
from controller.declared_lists.declared import AppType, DeclaredList, GoodsLine, Receipt
from controller.declared_lists.joins import Names, list_key
from controller.declared_lists.settle import StoredList

# 0.5 kB a list kept; level 1 costs a tenth of parsing.
RAW_ZLIB_LEVEL = 1

_LIST_COLUMNS = (
    "list_key waybill revision deleted changed app_time status status_time message_id logistics_code cop_no "
    "pre_no invt_no ebp_code ebc_code agent_code gross_weight_mg net_weight_mg pack_no order_no "
    "logistics_name ebp_name ebc_name agent_name buyer_name buyer_id_hmac buyer_id_last4 trade_mode "
    "bill_no country currency customs_code port_code decl_time"
).split()
_PUT_LIST = (
    f"INSERT INTO lists ({', '.join(_LIST_COLUMNS)}) VALUES ({', '.join('?' * len(_LIST_COLUMNS))}) "
    "ON CONFLICT (list_key) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _LIST_COLUMNS)
    + " RETURNING list_id"
)
_PUT_GOODS = f"INSERT INTO goods VALUES ({', '.join('?' * 17)})"
_PUT_REVISION = "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)"
_PUT_RECEIPT = (
    "INSERT INTO receipts (content_sha256, customs_code, ebp_code, ebc_code, agent_code, cop_no, "
    "pre_no, invt_no, status, return_time, info, message_id) "
    f"VALUES ({', '.join('?' * 12)}) ON CONFLICT DO NOTHING"
)
_PUT_MESSAGE = (
    "INSERT INTO messages (sha256, message_type, name, received_utc_ns, raw_zlib) "
    "VALUES (?, ?, ?, ?, ?) RETURNING message_id"
)


# dataclasses.astuple copies deeply, which costs a quarter of an import.
_goods_values = attrgetter(*(field.name for field in fields(GoodsLine)))
_receipt_values = attrgetter(*(field.name for field in fields(Receipt)))


class ListChange(Enum):
    """What became of a list that was put."""

    NEW = "new"
    CHANGED = "changed"
    DELETED = "deleted"
    KNOWN = "known"  # this very content came before
    OUTDATED = "outdated"  # older than what the store has


class Store:
    """The store open for writing, by this process alone until `close`.

    `pages_max` (4 kB each, 0 for none) is a quota that keeps a flood of lists from filling the disk.
    """

    def __init__(self, path: Path, pages_max: int = 0) -> None:
        self._path = path
        self._lock = store_file.locked(path)
        try:
            self._connection = store_file.opened(path, pages_max)
        except BaseException:
            os.close(self._lock)
            raise
        self._salt = bytes(
            self._connection.execute("SELECT value FROM meta WHERE name = 'salt'").get
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the store; another process may be its writer then."""
        try:
            store_file.closed(self._connection)
        finally:
            os.close(self._lock)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """All that is put inside is durable when this is left, or (StoreError) nothing of it is."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            raise StoreError(database.sentence_of(error, self._path)) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # SQLite has ended the transaction by itself after some failures (disk full).
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def store_seq(self) -> int:
        return database.store_seq(self._connection)

    def keep_message(self, message_type: str, name: str, raw: bytes, received_utc_ns: int) -> int:
        """Number under which the bytes of a message are kept, once however often they come."""
        digest = hashlib.sha256(raw).digest()
        known = self._connection.execute(
            "SELECT message_id FROM messages WHERE sha256 = ?", (digest,)
        ).get
        if known is not None:
            return int(known)
        packed = zlib.compress(raw, RAW_ZLIB_LEVEL)
        values = (digest, message_type, name, received_utc_ns, packed)
        return int(self._connection.execute(_PUT_MESSAGE, values).get)

    def put_list(self, declared: DeclaredList, message_id: int) -> ListChange:
        """Take a new list, a change or a deletion. Call inside `batch`."""
        key = list_key(declared.logistics_code, declared.logistics_no, declared.cop_no)
        digest = hashlib.sha256(msgspec.msgpack.encode(declared)).digest()
        before = settle.find_list(self._connection, key)
        deletes = declared.app_type is AppType.DELETE
        if before is not None:
            if self._is_known(before.list_id, digest):
                return ListChange.KNOWN
            if declared.app_time < before.app_time or (
                declared.app_time == before.app_time and before.deleted and not deletes
            ):
                self._put_outdated(before, digest, declared, message_id)
                return ListChange.OUTDATED
        revision = before.revision + 1 if before else 1
        # Two contents of one moment: nobody knows which of them customs answered to.
        disputed = before is not None and not deletes and declared.app_time == before.app_time
        list_id = self._put_content(key, revision, declared, message_id, disputed)
        self._put_revision(list_id, digest, revision, declared, message_id)
        names = _names_of(declared)
        changed = self._settle_around([names, before.names] if before else [names])
        self._log({list_id, *changed})
        if deletes:
            return ListChange.DELETED
        return ListChange.CHANGED if before else ListChange.NEW

    def put_receipt(self, receipt: Receipt, message_id: int) -> bool:
        """Keep a receipt and let it speak for its list, if that is known. False if it came before."""
        values = _receipt_values(receipt)
        digest = hashlib.sha256(msgspec.msgpack.encode(receipt)).digest()
        self._connection.execute(_PUT_RECEIPT, (digest, *values, message_id))
        if not self._connection.changes():
            return False
        about = settle.lists_sharing(self._connection, _names_of(receipt))
        self._log(self._settle(about))
        return True

    def _is_known(self, list_id: int, digest: bytes) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM revisions WHERE list_id = ? AND content_sha256 = ?", (list_id, digest)
        )
        return found.get is not None

    def _put_outdated(
        self, present: StoredList, digest: bytes, declared: DeclaredList, message_id: int
    ) -> None:
        """Remember a content that came too late to count; it shows that the list was changed since."""
        self._put_revision(present.list_id, digest, 0, declared, message_id)
        self._connection.execute(
            "UPDATE lists SET changed = max(changed, 1) WHERE list_id = ?", (present.list_id,)
        )
        self._log(self._settle_around([present.names]))

    def _put_revision(
        self, list_id: int, digest: bytes, revision: int, declared: DeclaredList, message_id: int
    ) -> None:
        values = (list_id, digest, revision, declared.app_type, declared.app_time, message_id)
        self._connection.execute(_PUT_REVISION, values)

    def _put_content(
        self, key: str, revision: int, declared: DeclaredList, message_id: int, disputed: bool
    ) -> int:
        changed = revision > 1 or declared.app_type is AppType.CHANGE
        values = _list_values(
            declared,
            key,
            revision,
            message_id,
            self._salt,
            settle.DISPUTED if disputed else changed,
        )
        list_id = int(self._connection.execute(_PUT_LIST, values).get)
        if revision > 1:
            self._connection.execute("DELETE FROM goods WHERE list_id = ?", (list_id,))
        self._connection.executemany(
            _PUT_GOODS,
            [
                (list_id, position, *_goods_values(line))
                for position, line in enumerate(declared.goods)
            ],
        )
        return list_id

    def _settle_around(self, all_names: list[Names]) -> set[int]:
        """Settle every list that a receipt sharing one of these numbers may speak for."""
        spoken = {
            receipt.names
            for names in all_names
            for receipt in settle.receipts_sharing(self._connection, names)
        }
        around = {
            declared.list_id: declared
            for names in spoken
            for declared in settle.lists_sharing(self._connection, names)
        }
        return self._settle(around.values())

    def _settle(self, lists: Iterable[StoredList]) -> set[int]:
        """Bring the status of these lists up to date; the ids of those whose status changed."""
        changed = set()
        for declared in lists:
            stand = settle.settled(self._connection, declared)
            self._connection.execute(
                "UPDATE lists SET status = ?1, status_time = ?2 "
                "WHERE list_id = ?3 AND (status, status_time) IS NOT (?1, ?2)",
                (stand.status, stand.return_time, declared.list_id),
            )
            if self._connection.changes():
                changed.add(declared.list_id)
        return changed

    def _log(self, list_ids: set[int]) -> None:
        self._connection.executemany(
            "INSERT INTO changes (list_id) VALUES (?)", [(list_id,) for list_id in sorted(list_ids)]
        )


def _names_of(named: DeclaredList | Receipt) -> Names:
    return Names(
        cop_no=named.cop_no,
        pre_no=named.pre_no,
        invt_no=named.invt_no,
        ebp_code=named.ebp_code,
        ebc_code=named.ebc_code,
        agent_code=named.agent_code,
    )


def _list_values(
    declared: DeclaredList, key: str, revision: int, message_id: int, salt: bytes, changed: int
) -> tuple[object, ...]:
    """Values in the order of _LIST_COLUMNS; the status is settled afterwards."""
    buyer_id = declared.buyer_id_number
    special: dict[str, object] = {
        "list_key": key,
        "waybill": declared.logistics_no,
        "revision": revision,
        "deleted": declared.app_type is AppType.DELETE,
        "changed": changed,
        "status": 0,
        "status_time": "",
        "message_id": message_id,
        "buyer_id_hmac": hmac.digest(salt, buyer_id.encode(), "sha256"),
        "buyer_id_last4": buyer_id[-4:],
    }
    return tuple(
        special[column] if column in special else getattr(declared, column)
        for column in _LIST_COLUMNS
    )
