"""Pictures of data and of training, drawn by matplotlib without its global state: each function returns a Figure."""

from scalargrad.plots.curves import plot_comparison, plot_curves, plot_history
from scalargrad.plots.mistakes import plot_confusion, plot_images
from scalargrad.plots.places import plot_boundary, plot_points

__all__ = [
    "plot_boundary",
    "plot_comparison",
    "plot_confusion",
    "plot_curves",
    "plot_history",
    "plot_images",
    "plot_points",
]
