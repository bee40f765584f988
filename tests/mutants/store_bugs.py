"""Bugs in what the disk holds: the index of passes, logs that rot, headers, files set aside, lists."""

from tests.mutants.planted import Mutant

READER = "controller/declared_lists/reader.py"
RECOVERY = "controller/journal/recovery.py"
SQLITE_LOG = "controller/sqlite_log.py"

STORE_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "DB corrupt, bit rot",
        READER,
        "            self._deliver(ListChanged(store_seq, present))\n            raise",
        "            raise",
        "what customs says while a journal cannot be read is lost",
    ),
    Mutant(
        "duplicate waybill",
        "controller/journal/earlier_passes.py",
        "self._present(neighbour, 1)",
        "self._present(neighbour, 0)",
        "a label that another line took just before midnight is released here after it",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/journal/earlier_passes.py",
        "            if table == twin or not self.twice:",
        "            if True:",
        "a key that rots in the index of passes hides a release",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/journal/day_file.py",
        'PASSES_TWIN = "passes INDEXED BY passes_twin"',
        "PASSES_TWIN = PASSES",
        "the twin of the index of passes is never read",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/journal/verify.py",
        "reader.select(_TWINS_DISAGREE) if by_waybill else ()",
        "()",
        "verify leaves the twin of the index of passes unread",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/journal/day_file.py",
        "        _fold(self._db)\n",
        "",
        "the end of a day lies in a log for as long as a look-up has the file open",
    ),
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "    if not log_breaks_off(path):\n",
        "    if True:\n",
        "a bit that rots in the log of a killed writer makes what came after it never written",
    ),
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "            set_aside += _fold_older(candidates[number + 1 :])\n",
        "",
        "the log of an older day is never looked at",
    ),
    Mutant(
        "DB corrupt, bit rot",
        SQLITE_LOG,
        "if frames.commits(n - 1) and frames.holds(n)",
        "if frames.commits(n - 1)",
        "what a failed commit left in the log stops the line at its next start",
    ),
    Mutant(
        "DB corrupt, bit rot",
        SQLITE_LOG,
        "        return breaks_off(found) and log.read_bytes() == found",
        "        return breaks_off(found)",
        "lists are unavailable when a reader opens the store while the log begins anew",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/declared_lists/store_file.py",
        "        if log_breaks_off(path):\n",
        "        if False:\n",
        "intake writes on upon a store that has lost a detention",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/declared_lists/database.py",
        "        if _log_breaks_off(path, log.st_ino, log.st_size, log.st_mtime_ns):\n",
        "        if False:\n",
        "a line that starts before intake releases what the rotten log had detained",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/declared_lists/store_file.py",
        "        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)\n",
        "        pass\n",
        "the list store rests on its log while intake is stopped",
    ),
    Mutant(
        "journal changed afterwards",
        "controller/audit/verify_audit.py",
        '_header_named(record) not in (b"", of_file)',
        "False",
        "an export with another file's header tells another time, software and settings",
    ),
    Mutant(
        "journal changed afterwards",
        "controller/journal/recovery.py",
        " if checkpoint.is_of(first.hash) else None",
        "",
        "a start takes the line's settings from a header that nobody signed",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        READER,
        "if not facts.has_message(connection, self._newest):",
        "if store_seq < self._cursor:",
        "a restored store whose numbers have caught up is deaf to customs",
    ),
    Mutant(
        "duplicate waybill",
        READER,
        "        finally:  # the other lines go on releasing while the store fails\n",
        "        except ZeroDivisionError:\n            pass\n        else:\n",
        "a twin on the next line goes unnoticed while the list store is away",
    ),
    Mutant(
        "duplicate waybill",
        "controller/journal/earlier_passes.py",
        "        found = self.reader.select(query, bindings)\n",
        "        found = self.reader.select(query, bindings)\n"
        '        carrier = list_key.split("/")[0] + "/"\n'
        "        found = [row for row in found if row[1].startswith(carrier)]\n",
        "a released label is free again under another carrier's code",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/journal/earlier_passes.py",
        "            ends = self._left_aside(path, list_key, line) | ends",
        "            pass",
        "a file that another line set aside turns its releases into never seen",
    ),
)
