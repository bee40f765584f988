"""What customs said of a list, as reasons. Status codes: GACC message standard 202205, CEB622."""

import hashlib
import hmac
from typing import Final

from controller.core.commands import Check
from controller.core.events import ListFacts
from controller.core.settings import Rules
from controller.core.vocabulary import CheckKind, CheckResult, Reason

# No rule file may name another: everything else means that customs has not released.
RELEASING_STATUSES: Final = (800, 899)
_INSPECT: Final = frozenset({500})
_DETAINED: Final = frozenset({501, 502, 503, 505, 599})
_RETURNED: Final = frozenset({700})


def customs_reasons(facts: ListFacts, rules: Rules) -> tuple[Reason, ...]:
    """Why this list alone forbids release; empty if customs has released it and asks for nothing."""
    reasons = []
    if facts.status in _DETAINED:
        reasons.append(Reason.STATUS_DETAINED)
    elif facts.status in _RETURNED:
        reasons.append(Reason.STATUS_RETURNED)
    elif facts.status in _INSPECT:
        reasons.append(Reason.STATUS_INSPECT)
    elif facts.status not in rules.release_statuses:
        reasons.append(Reason.STATUS_NOT_RELEASED)
    if facts.open_instructions:
        reasons.append(Reason.CONTROL_INSTRUCTION)
    if drawn_for_inspection(facts.list_key, rules):
        reasons.append(Reason.DRAWN_FOR_INSPECTION)
    return tuple(reasons)


def drawn_for_inspection(list_key: str, rules: Rules) -> bool:
    """The deterministic draw: HMAC-SHA256(salt, list key) mod 1000 below the asked share."""
    digest = hmac.digest(rules.inspection_salt.encode(), list_key.encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big") % 1000 < rules.inspection_permille


def customs_checks(facts: ListFacts, rules: Rules) -> tuple[Check, ...]:
    """The same as comparisons for people: status against 800, instructions against none."""
    released = facts.status in rules.release_statuses
    open_count = len(facts.open_instructions)
    return (
        Check(CheckKind.CUSTOMS_STATUS, _result(released), facts.status, 800, 0),
        Check(CheckKind.INSTRUCTIONS, _result(open_count == 0), open_count, 0, 0),
    )


def _result(agrees: bool) -> CheckResult:
    return CheckResult.AGREE if agrees else CheckResult.DISAGREE
