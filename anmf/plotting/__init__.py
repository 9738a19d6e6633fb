"""Pictures of components, separations and objectives, and players of sound."""

from anmf.plotting.pictures import plot_components, plot_objective, plot_separation
from anmf.plotting.players import listen

__all__ = ["listen", "plot_components", "plot_objective", "plot_separation"]
