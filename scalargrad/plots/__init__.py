"""Pictures of data and of training, drawn by matplotlib without its global state: each function returns a Figure."""

import sys
from typing import TYPE_CHECKING

from scalargrad.support.doors import door

if TYPE_CHECKING:  # the same names once more, for editors and type checkers: a test compares
    from scalargrad.plots.attention import plot_attention as plot_attention
    from scalargrad.plots.curves import plot_comparison as plot_comparison
    from scalargrad.plots.curves import plot_curves as plot_curves
    from scalargrad.plots.curves import plot_history as plot_history
    from scalargrad.plots.curves import plot_steps as plot_steps
    from scalargrad.plots.mistakes import plot_confusion as plot_confusion
    from scalargrad.plots.mistakes import plot_images as plot_images
    from scalargrad.plots.places import plot_boundary as plot_boundary
    from scalargrad.plots.places import plot_points as plot_points

NAMES = {
    "attention": ["plot_attention"],
    "curves": ["plot_comparison", "plot_curves", "plot_history", "plot_steps"],
    "mistakes": ["plot_confusion", "plot_images"],
    "places": ["plot_boundary", "plot_points"],
}

__getattr__, __dir__, __all__ = door(sys.modules[__name__], NAMES)
