"""Every state x every step: what is in the table happens, everything else leaves the parcel alone."""

import itertools

import pytest

from controller.core.parcel import TRANSITIONS, ParcelState, Step, after

_RELEASING = {
    ParcelState.COMMITTING,
    ParcelState.UNSENT,
    ParcelState.SENT,
    ParcelState.LEASED,
    ParcelState.DIVERTING,
    ParcelState.DOUBTED,
}


@pytest.mark.parametrize(("state", "step"), list(itertools.product(ParcelState, Step)))
def test_every_pair(state: ParcelState, step: Step) -> None:
    result = after(state, step)
    assert result == TRANSITIONS[state].get(step)
    if state is ParcelState.HELD:
        assert result in (None, ParcelState.GONE), "nothing makes a held parcel released"
    if state is ParcelState.DIVERTING:
        assert result in (None, ParcelState.GONE), "a moving gate is past revoking"
    if result in _RELEASING and state not in _RELEASING:
        assert (state, step) == (ParcelState.DECIDING, Step.JUDGE_RELEASE)
    if state is ParcelState.DOUBTED:
        settled = (Step.REVOKE, Step.GATE_BEGAN, Step.END)
        assert result in (None, state) or step in settled, "sent again"
    if step is Step.SEND and result is not None:
        assert state in (ParcelState.UNSENT, ParcelState.SENT), "sent only after it was durable"


def test_release_is_reachable_only_through_durable() -> None:
    without = {
        state: [to for step, to in steps.items() if step not in (Step.DURABLE, Step.DOUBT)]
        for state, steps in TRANSITIONS.items()
    }
    reached, todo = set(), [ParcelState.TRACKED]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo.extend(without[state])
    assert not reached & {ParcelState.SENT, ParcelState.LEASED, ParcelState.DIVERTING}


def test_every_state_but_gone_can_end() -> None:
    for state in ParcelState:
        assert (after(state, Step.END) is ParcelState.GONE) == (state is not ParcelState.GONE)
