"""Maps: loops over rows, each of which is a body and nothing else."""

from scalargrad.compiler.backends.native.kernels.body import Body, BodyCode
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.loops import chunk, in_vectors


def map_kernel(code: KernelCode, body: Body) -> None:
    """Rows of lanes.

    for panel in the block:
        hoist what is invariant
        for row in the instruction:
            load operands; compute; store
    """
    count = code.field("count")
    inside = BodyCode(code, body)

    def panel(lanes: str) -> None:
        inside.hoist(lanes)
        code.loop(count, lambda index: inside.row(lanes, index))

    code.over_panels(panel)


def uniform_kernel(code: KernelCode, body: Body) -> None:
    """Uniform rows whose operands are stretches, as many at once as a vector holds. Threads share a long loop.

    for rows in this thread's chunk, a vector at a time:
        load operands; compute; store
    for row in the rest of the chunk:
        load operands; compute; store
    """
    count, shared = code.field("count"), code.field("shared")
    inside = BodyCode(code, body)
    first, last = chunk(code, count, shared)
    in_vectors(code, first, last, lambda index: inside.row("", index))


def uniform_rows_kernel(code: KernelCode, body: Body) -> None:
    """Uniform rows one by one, wherever their operands are. `code` is one number wide.

    for row in this thread's chunk:
        load operands; compute; store
    """
    count, shared = code.field("count"), code.field("shared")
    inside = BodyCode(code, body)
    first, last = chunk(code, count, shared)
    code.loop(last, lambda index: inside.row("", index), first=first)
