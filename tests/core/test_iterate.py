"""The one iteration loop."""

from dataclasses import dataclass

import pytest

from anmf._core.iterate import iterate


@dataclass
class Halving:
    objective: float = 8.0
    converged: bool = False


def halve(state):
    return Halving(state.objective / 2)


def test_history_and_limits():
    outcome = iterate(Halving, halve, max_iter=3, tol=0)
    assert outcome.history == [4, 2, 1] and outcome.n_iter == 3 and outcome.converged


@pytest.mark.parametrize(("tol", "expected"), [(0.5, 1), (0.1, 4), (0.125, 3)])
def test_tolerance_is_relative_to_the_first_value(tol, expected):
    outcome = iterate(Halving, halve, max_iter=50, tol=tol)
    assert outcome.n_iter == expected and outcome.converged


def test_running_out_isnt_convergence():
    assert not iterate(Halving, halve, max_iter=2, tol=1e-9).converged


def test_a_solver_may_say_it_is_done():
    outcome = iterate(Halving, lambda s: Halving(s.objective, True), max_iter=9, tol=0)
    assert outcome.n_iter == 1


def test_callback_gets_every_state_and_may_stop():
    seen = []

    def callback(info):
        seen.append((info.n_iter, info.objective, info.state.objective))
        assert info.seconds >= 0
        return info.n_iter == 2

    outcome = iterate(Halving, halve, max_iter=9, tol=0, callback=callback)
    assert seen == [(1, 4, 4), (2, 2, 2)] and outcome.n_iter == 2


def test_interruption_keeps_the_last_state():
    def step(state):
        if state.objective < 3:
            raise KeyboardInterrupt
        return halve(state)

    outcome = iterate(Halving, step, max_iter=9, tol=0)
    assert outcome.interrupted and outcome.history == [4, 2] and outcome.state.objective == 2


def test_other_errors_come_through():
    def step(state):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        iterate(Halving, step, max_iter=9, tol=0)
