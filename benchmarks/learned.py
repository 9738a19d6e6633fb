"""Separation that is learned: how well does it work on talkers and rooms never seen, at what cost?

The surrogate source model against the classical ones, in simulated and measured rooms, at two
sample rates and with accented speech; deep clustering and permutation-invariant training; the loss
that is trained for; gradients, time and memory of training. Speech is that of ``$ANMF_DATA``, or
else synthetic. Peers that aren't installed are left out.
"""

from benchmarks import (
    learned_conditions,
    learned_cost,
    learned_losses,
    learned_rooms,
    learned_talkers,
    learned_training,
)
from benchmarks.report import bars_frame, print_bars, save_table

PARTS = (
    learned_training,
    learned_cost,
    learned_rooms,
    learned_conditions,
    learned_losses,
    learned_talkers,
)


def run(output, quick=False):
    """Measure, and write the tables and figures learned_*."""
    bars, applies = [], not quick
    for part in PARTS:
        print(f"\n{part.__doc__.splitlines()[0]}")
        more, real = part.measure(output, quick)
        bars += more
        applies = applies and real
    print()
    print_bars(bars, applies=applies)
    save_table(bars_frame(bars), output, "learned_bars")
