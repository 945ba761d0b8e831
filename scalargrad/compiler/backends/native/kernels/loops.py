"""Loops that kernels share: over uniform rows and the threads that share them, over panels and the lanes in use."""

from collections.abc import Callable

from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode


def in_vectors(code: KernelCode, first: str, last: str, body: Callable[[str], None]) -> None:
    """Run the body for whole vectors from `first` on, and number by number for the rest before `last`."""
    width, count = code.width, code.integer_sub(last, first)
    whole = code.integer_sub(count, code(f"srem i64 {count}, {width}"))
    code.loop(code.integer_sub(last, width - 1), body, first=first, step=width)
    code.width = 1
    code.loop(last, body, first=code.integer_add(first, whole))
    code.width = width


def chunk(code: KernelCode, count: str, shared: str) -> tuple[str, str]:
    """This thread's part of 0 ... count, if the loop is `shared`; else the first thread has all of it."""
    thread, threads = code.context("thread"), code.context("threads")
    following = code.integer_add(thread, 1)
    begin = code(f"sdiv i64 {code.integer_mul(count, thread)}, {threads}")
    end = code(f"sdiv i64 {code.integer_mul(count, following)}, {threads}")
    alone = code(f"icmp eq i64 {shared}, 0")
    leads = code(f"icmp eq i64 {thread}, 0")
    all_or_none = code(f"select i1 {leads}, i64 {count}, i64 0")
    return code(f"select i1 {alone}, i64 0, i64 {begin}"), code(f"select i1 {alone}, i64 {all_or_none}, i64 {end}")


def everywhere(code: KernelCode, body: Callable[[str], None], uniform: bool) -> None:
    """Run body(lanes) in every panel; for uniform rows once, in the first thread."""
    if uniform:
        with code.when(code(f"icmp eq i64 {code.context('thread')}, 0")):
            body("")
    else:
        code.over_panels(body)


def over_lanes(code: KernelCode, start: list[tuple[str, str]], turn: Callable[..., list[str] | None]) -> list[str]:
    """Run turn(lanes, masks, *sums) for each panel; masks are None where all lanes are samples."""
    lanes_of_panel = code.vectors * code.width
    full = code(f"sdiv i64 {code.context('valid')}, {lanes_of_panel}")

    sums = code.loop(full, lambda panel, *sums: turn(code.panel(panel), None, *sums), start)
    carried = [(kind, name) for (kind, _), name in zip(start, sums, strict=True)]

    def last(panel: str, *sums: str) -> list[str] | None:
        return turn(code.panel(panel), code.masks(panel), *sums)

    return code.loop(code.context("panels"), last, carried, first=full)
