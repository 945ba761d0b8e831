"""Pictures of computation graphs: `draw` one, or `draw_frames` of many."""

from scalargrad.drawing.animation import draw_frames as draw_frames
from scalargrad.drawing.boundary import DecisionBoundary as DecisionBoundary
from scalargrad.drawing.figure import Drawing as Drawing
from scalargrad.drawing.figure import draw as draw
