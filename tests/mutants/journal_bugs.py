"""Bugs around the disk: journal, recovery, start, rule files, processes."""

from tests.mutants.planted import Mutant

CHAIN = "controller/journal/chain.py"
COMMITTER = "controller/journal/committer.py"
DAY_FILE = "controller/journal/day_file.py"
RECOVERY = "controller/journal/recovery.py"
START = "controller/runtime/start.py"
DISPATCH = "controller/runtime/dispatch.py"
SOCKET = "controller/runtime/line_socket.py"
ACTIVATION = "controller/config/activation.py"
LINKS = "controller/core/links.py"
KEEPER = "controller/supervisor/keeper.py"

JOURNAL_BUGS: tuple[Mutant, ...] = (
    # --- power, crash ------------------------------------------------------------------------------
    Mutant(
        "power cut of the PC",
        DAY_FILE,
        '    db.pragma("synchronous", "full")\n'
        '    assert db.pragma("journal_mode") == "wal"\n'
        '    assert db.pragma("synchronous") == _SYNCHRONOUS_FULL\n',
        '    db.pragma("synchronous", "off")\n    assert db.pragma("journal_mode") == "wal"\n',
        "a commit is acknowledged before it is on the disk",
    ),
    Mutant(
        "power cut of the PC",
        DISPATCH,
        "self._records.append((journal_seq, event.boot_id, event.ring_seq))",
        "self._records.append((0, event.boot_id, event.ring_seq))",
        "the PLC forgets a record that is not on the disk yet",
    ),
    Mutant(
        "power cut of the PC",
        LINKS,
        "    turn.state.belt.forget_clock()\n    turn.state.utc_ns = 0",
        "    turn.state.utc_ns = 0",
        "the PC's clock begins anew and deadlines are reckoned from the old one",
    ),
    Mutant(
        "control process killed",
        START,
        "    for at_ns, event in recovered.events:\n        core.handle(at_ns, event)\n",
        "",
        "what happened after the last snapshot is forgotten",
    ),
    Mutant(
        "control process killed",
        LINKS,
        "    for parcel in list(turn.state.parcels.values()):\n"
        "        parcel.flag(Reason.HOST_RESTARTED)\n"
        "        if not turn.step(parcel, Step.DOUBT):\n"
        "            hold_at_once(turn, parcel, Reason.HOST_RESTARTED)\n",
        "",
        "what lay on the belt during our restart is judged as if we had watched it",
    ),
    # --- the disk fails ----------------------------------------------------------------------------
    Mutant(
        "fsync error (EIO)",
        COMMITTER,
        "        if not self._failed:\n            self._on_durable",
        "        if not self.stuck:\n            self._on_durable",
        "after an error the next commit acknowledges, though nobody looked at the disk",
    ),
    Mutant(
        "fsync error (EIO)",
        COMMITTER,
        "            if not (room and self._stored(batch)):",
        "            if not self._stored(batch):",
        "a sync that failed is tried again and believed",
    ),
    Mutant(
        "fsync error (EIO)",
        LINKS,
        "    turn.state.journal_ok = False\n",
        "",
        "releases are judged while nothing can be written",
    ),
    Mutant(
        "disk full",
        COMMITTER,
        "            room = _is_full(error) and self._ballast.release()",
        "            room = False",
        "the ballast is kept and the holds are not on record",
    ),
    Mutant(
        "disk full",
        "controller/core/deciding.py",
        "    if not state.journal_ok:\n        reasons.append(Reason.RECORD_NOT_DURABLE)",
        "    if False:\n        reasons.append(Reason.RECORD_NOT_DURABLE)",
        "with a failed journal verdicts still release",
    ),
    Mutant(
        "slow disk",
        DISPATCH,
        "                self._verdicts.append((journal_seq, command.pass_no))",
        "                self._verdicts.append((0, command.pass_no))",
        "a release goes before its record is on the disk",
    ),
    Mutant(
        "slow disk",
        "controller/core/deciding.py",
        "    ParcelState.DECIDING,\n    ParcelState.COMMITTING,\n    ParcelState.UNSENT,\n)",
        "    ParcelState.DECIDING,\n    ParcelState.UNSENT,\n)",
        "a release waits for the disk past its deadline and is sent late",
    ),
    Mutant(
        "durable before it is sent",
        "controller/core/deciding.py",
        "    if not release:\n        turn.send(parcel, judgement.destination, judgement.reasons[0])",
        "    turn.send(parcel, judgement.destination, (*judgement.reasons, 0)[0])",
        "a release is sent with its verdict instead of after the disk has it",
    ),
    # --- rot ---------------------------------------------------------------------------------------
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "    return None if problem else head\n",
        "    return head\n",
        "a start ends quietly where the chain breaks, and nothing is set aside",
    ),
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "    if key is None or not records.signature_holds(key, header.line, checkpoint):",
        "    if key is None:",
        "a forged checkpoint vouches for a journal",
    ),
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "    return header.set_aside if whole else ()",
        "    return header.set_aside",
        "a header that was changed still speaks for the file set aside before it",
    ),
    Mutant(
        "DB corrupt, bit rot",
        RECOVERY,
        "    step = SEQ_STEP_AFTER_LOSS * len(set_aside) if set_aside else 1",
        "    step = 1",
        "numbers that a corrupt file had given are given again",
    ),
    Mutant(
        "DB corrupt, bit rot",
        START,
        "        core.state.journal_ok = False\n",
        "",
        "a start that is killed after its header ends a journal failure without anybody's word",
    ),
    Mutant(
        "DB corrupt, bit rot",
        START,
        "    if recovered.set_aside:\n        # Numbers",
        "    if False:\n        # Numbers",
        "pass numbers that a corrupt file had given are given again",
    ),
    Mutant(
        "DB corrupt, bit rot",
        "controller/runtime/line_process.py",
        "        if self._recovered.set_aside:\n            names",
        "        if False:\n            names",
        "the line releases after a corrupt journal without a supervisor's word",
    ),
    Mutant(
        "journal changed afterwards",
        CHAIN,
        "    return wanted == record.hash",
        "    return True",
        "a changed record passes",
    ),
    Mutant(
        "journal changed afterwards",
        CHAIN,
        "_LINK.pack(previous_hash, journal_seq, at_ns, kind, len(body))",
        "_LINK.pack(previous_hash, journal_seq, 0, kind, len(body))",
        "the time of a record can be changed unseen",
    ),
    # --- one writer --------------------------------------------------------------------------------
    Mutant(
        "two control processes at once",
        DAY_FILE,
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "two processes write one line's journal",
    ),
    Mutant(
        "two control processes at once",
        "plc/exchange.py",
        "        if latched == self.session & U16_MAX or (latched == 0 and may_be_none):",
        "        if latched == self.session & U16_MAX or may_be_none:",
        "a second host waits at the PLC for its turn instead of being refused",
    ),
    Mutant(
        "two control processes at once",
        "sim/plc_host.py",
        "        if self.session == 0 and beats and session != 0:",
        "        if beats and session not in (0, self.session):",
        "a second host takes the PLC from the first",
    ),
    Mutant(
        "two control processes at once",
        "sim/plc_host.py",
        "        if self.session and beats and session == self.session:",
        "        if self.session and beats:",
        "a second host's life sign keeps a dead host's leases alive",
    ),
    # --- clock -------------------------------------------------------------------------------------
    Mutant(
        "clock step, leap, DST",
        "controller/core/line.py",
        "            turn.raise_alarm(AlarmKind.CLOCK_STEP)\n            return",
        "            turn.raise_alarm(AlarmKind.CLOCK_STEP)",
        "a stepped clock dates the records",
    ),
    Mutant(
        "clock step, leap, DST",
        "controller/core/line.py",
        "event.utc_ns - state.utc_ns - (turn.at_ns - state.utc_at_ns)",
        "event.utc_ns - state.utc_ns",
        "a clock that was not read for two seconds counts as stepped",
    ),
    Mutant(
        "clock step, leap, DST",
        DAY_FILE,
        "    if not files or day_of(files[-1]) < day:",
        "    if not files or day_of(files[-1]) != day:",
        "a clock set back puts a new journal before the older ones",
    ),
    # --- rule files --------------------------------------------------------------------------------
    Mutant(
        "rule file broken / half written",
        ACTIVATION,
        '    if keys and not text.endswith("\\n"):',
        "    if False:",
        "half a rule file is activated",
    ),
    Mutant(
        "rule file broken / half written",
        ACTIVATION,
        "    if hashlib.sha256(event.text.encode()).hexdigest() != event.rules_id:",
        "    if False:",
        "rules are activated under the name of others",
    ),
    Mutant(
        "rule file broken / half written",
        ACTIVATION,
        "    if parse_rules(event.text, name) != event.rules:",
        "    if parse_rules(event.text, name) is None:",
        "other rules are in force than the text on record says",
    ),
    Mutant(
        "rule file broken / half written",
        "controller/config/load.py",
        "        if status not in RELEASING_STATUSES:",
        "        if status < 0:",
        "a slip in a rule file releases what customs holds",
    ),
    Mutant(
        "rules change with parcels on the belt",
        "controller/core/turn.py",
        "            if version.rules_id == parcel.rules_id:",
        "            if version is self.state.rule_versions[-1]:",
        "a parcel is judged by rules that came after it entered",
    ),
    Mutant(
        "rules change with parcels on the belt",
        LINKS,
        "    kept = [version for version in turn.state.rule_versions if version.rules_id in carried]",
        "    kept: list[RuleVersion] = []",
        "the rules of the parcels on the belt are thrown away",
    ),
    # --- processes ---------------------------------------------------------------------------------
    Mutant(
        "process out of memory",
        KEEPER,
        "            if not kept.spec.restart:\n",
        "            if True:\n",
        "a process that died is not started again",
    ),
    Mutant(
        "process out of memory",
        KEEPER,
        "            if crashes >= self._limits.crashes_max:",
        "            if crashes < 0:",
        "a process that dies at every start is started for ever",
    ),
    Mutant(
        "vision worker crash / hang / OOM",
        SOCKET,
        "        if connection.source_up:\n            self._deliver(VisionDown",
        "        if False:\n            self._deliver(VisionDown",
        "nobody hears that the vision worker died",
    ),
    Mutant(
        "API overload",
        SOCKET,
        "        if len(self._connections) >= CONNECTIONS_MAX:",
        "        if False:",
        "browsers use up the line process's connections",
    ),
    Mutant(
        "API overload",
        SOCKET,
        "        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:\n"
        "            return False\n",
        "",
        "a page that does not read fills the line process's memory",
    ),
    Mutant(
        "operator's wrong override",
        "controller/core/line_state.py",
        "        if not _abort_stands(state):\n            state.abort_cause = None",
        "        state.abort_cause = None",
        "an abort is cleared while its cause stands",
    ),
    Mutant(
        "operator's wrong override",
        SOCKET,
        '        if isinstance(message, LineRequested | JournalRecovered) and connection.role != "api":',
        "        if isinstance(message, LineRequested) and connection.role:",
        "a supervisor's word resumes without asking the disk",
    ),
    Mutant(
        "memory leak",
        "controller/core/readings.py",
        "    del turn.state.early_pictures[:-EARLY_PICTURES_MAX]\n",
        "",
        "pictures that no trigger names are kept for ever",
    ),
    Mutant(
        "memory leak",
        "controller/core/turn.py",
        "        del alarms[:-ALARMS_MAX]\n",
        "",
        "alarms pile up",
    ),
    Mutant(
        "memory leak",
        LINKS,
        "    kept = [version for version in turn.state.rule_versions if version.rules_id in carried]",
        "    kept = list(turn.state.rule_versions)",
        "rules that no parcel carries are kept for ever",
    ),
)
