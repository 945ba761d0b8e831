"""The driver: the one loop that walks the table of a program, block after block, step after step.

A program is a list of stages. A stage begins with uniform records, which the threads do together, goes on with lane
records, which each thread does for its shares of the batch, and ends with the sums of what the shares added up.
"""

from scalargrad.compiler.backends.native.kernels.kernel_code import CONTEXT, KernelCode

# What is to be done, as 64-bit integers: the record of the driver.
JOB = (
    "steps",  # of training; 1 for a call
    "advance",  # positions in the order from the batch of one step to that of the next
    "batch",  # rows of a step
    "block",  # panels of a block
    "stages",
    "table",  # address of the stages: first record and number of records, uniform, of lanes, and of sums
    "stop",  # address of what is set to 1 to make the threads stop
    "history",  # address of the losses, one for each step; 0 for none
    "mean",  # address of the loss
    "done",  # address of how many steps have been finished, counted on
    "own_lanes",  # address of the lane memory of the program
    "own_lanes_bytes",  # of one block
    "lanes_of_blocks",  # 1: each block has memory of its own, as rows live on from stage to stage; 0: each thread has
    "own_partial",  # address of the sums of the first share
    "sums_in_place",  # 1: each share adds to the sums of those before it, and there is nothing left to add up
)
STAGE = 6  # integers
# Why threads do no more: an operation met a wrong argument, the caller asked for it, or a loss is inf or nan.
WRONG, STOPPED, NOT_FINITE = 1, 2, 3


def driver(code: KernelCode) -> str:
    """The functions `run` (a job), `walk` (records) and `meet` (wait for all threads), as text."""
    job = {name: code.field(name) for name in JOB}
    lanes_of_panel = code.vectors * code.width
    thread, threads, shares = (code.context(name) for name in ("thread", "threads", "shares"))
    failed, stop = code.context("failed", "ptr"), _pointer(code, job["stop"])
    panels = code(f"sdiv i64 {code.integer_add(job['batch'], lanes_of_panel - 1)}, {lanes_of_panel}")
    partial = code.context("share_bytes")
    in_place = code(f"icmp ne i64 {job['sums_in_place']}, 0")

    def put(name: str, x: str) -> None:
        code.write(f"store i64 {x}, ptr {code.at('%context', 8 * CONTEXT.index(name))}, align 8")

    def entry(stage: str, place: int) -> str:
        offset = code.integer_add(code.integer_mul(stage, 8 * STAGE), 8 * place)
        return code(f"load i64, ptr {code.at(_pointer(code, job['table']), offset)}, align 8")

    def walk(stage: str, place: int) -> None:
        first, count = entry(stage, place), entry(stage, place + 1)
        code.write(f"call void @walk(ptr {_pointer(code, first)}, i64 {count}, ptr %context)")

    def is_zero(address: str) -> str:
        return code(f"icmp eq i64 {code(f'load atomic i64, ptr {address} monotonic, align 8')}, 0")

    def meet() -> None:
        code.write("call void @meet(ptr %context)")

    def agreed() -> str:
        """Has nothing failed so far? All threads look before any of them goes on and may fail: they see the same."""
        so_far = is_zero(failed)
        meet()
        return so_far

    def step(number: str) -> None:
        start = code.integer_mul(number, job["advance"])

        def stage(index: str) -> None:
            with code.when(agreed()):
                walk(index, 0)
            meet()
            with code.when(code(f"icmp sgt i64 {entry(index, 3)}, 0")):
                code.loop(shares, lambda share: share_of(index, share), first=thread, step=threads)
                meet()
                put("partial", job["own_partial"])
                with code.when(code(f"xor i1 {in_place}, true")), code.when(is_zero(failed)):
                    walk(index, 4)
                meet()

        def share_of(index: str, share: str) -> None:
            first = code(f"sdiv i64 {code.integer_mul(panels, share)}, {shares}")
            last = code(f"sdiv i64 {code.integer_mul(panels, code.integer_add(share, 1))}, {shares}")
            put("partial", code.integer_add(job["own_partial"], code.integer_mul(share, partial)))
            start_of_sums = code(f"select i1 {in_place}, i64 0, i64 {first}")

            def block(panel: str) -> None:
                count = code.integer_min(code.integer_sub(last, panel), job["block"])
                before = code.integer_mul(panel, lanes_of_panel)
                room = code.integer_mul(count, lanes_of_panel)
                put("panels", count)
                put("valid", code.integer_min(code.integer_sub(job["batch"], before), room))
                put("position", code.integer_add(start, before))
                fresh = code(f"icmp eq i64 {panel}, {start_of_sums}")
                put("fresh", code(f"zext i1 {fresh} to i64"))
                apart = code(f"icmp ne i64 {job['lanes_of_blocks']}, 0")
                own = code.integer_mul(thread, job["own_lanes_bytes"])
                there = code.integer_mul(panel, code.context("panel_bytes"))
                put("lanes", code.integer_add(job["own_lanes"], code(f"select i1 {apart}, i64 {there}, i64 {own}")))
                walk(index, 2)

            def block_or_stop(panel: str) -> None:
                asked = code(f"icmp ne i64 {code(f'load atomic i64, ptr {stop} monotonic, align 8')}, 0")
                with code.when(asked):
                    code.write(f"store atomic i64 {STOPPED}, ptr {failed} monotonic, align 8")
                with code.when(is_zero(failed)):
                    block(panel)

            code.loop(last, block_or_stop, first=first, step=job["block"])

        with code.when(agreed()):
            code.loop(job["stages"], stage)
            leads = code(f"icmp eq i64 {thread}, 0")
            with code.when(code(f"and i1 {is_zero(failed)}, {leads}")):
                with code.when(code(f"icmp ne i64 {job['history']}, 0")):
                    loss = code.load_number(_pointer(code, job["mean"]))
                    place = code.at(_pointer(code, job["history"]), code.integer_mul(number, code.size))
                    code.store_number(loss, place)
                    difference = code(f"fsub {code.number} {loss}, {loss}")  # 0, but for inf and nan
                    with code.when(code(f"fcmp une {code.number} {difference}, 0.0")):
                        code.write(f"store atomic i64 {NOT_FINITE}, ptr {failed} monotonic, align 8")
                done = _pointer(code, job["done"])
                following = code.integer_add(code(f"load i64, ptr {done}, align 8"), 1)
                code.write(f"store atomic i64 {following}, ptr {done} release, align 8")
            meet()

    code.loop(job["steps"], step)
    return "\n".join([WALK, code.text("run")])


def _pointer(code: KernelCode, address: str) -> str:
    return code(f"inttoptr i64 {address} to ptr")


# A record begins with the address of its kernel and its own length.
WALK = """
define void @walk(ptr %first, i64 %count, ptr %context) {
start:
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %loop, label %done
loop:
  %record = phi ptr [ %first, %start ], [ %following, %loop ]
  %left = phi i64 [ %count, %start ], [ %less, %loop ]
  %kernel = load ptr, ptr %record, align 8
  call void %kernel(ptr %record, ptr %context)
  %place = getelementptr i64, ptr %record, i64 1
  %length = load i64, ptr %place, align 8
  %following = getelementptr i64, ptr %record, i64 %length
  %less = sub i64 %left, 1
  %more = icmp sgt i64 %less, 0
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def meeting(pause: str, give_way: int) -> str:
    """The function `meet`: all threads wait for the last one. The barrier is two integers: who came, and which time.

    pause     an instruction for a loop that waits, or ""
    give_way  the address of the system's function that lets other threads run, called now and then; 0 for none
    """
    threads, barrier = (8 * CONTEXT.index(name) for name in ("threads", "barrier"))
    other = f"call i32 inttoptr (i64 {give_way} to ptr)()" if give_way else ""
    declared = f"declare void @{pause}" if pause else ""
    called = f"call void @{pause}" if pause else ""
    return f"""
{declared}
define void @meet(ptr %context) {{
start:
  %p = getelementptr i8, ptr %context, i64 {threads}
  %threads = load i64, ptr %p, align 8
  %several = icmp sgt i64 %threads, 1
  br i1 %several, label %arrive, label %done
arrive:
  %q = getelementptr i8, ptr %context, i64 {barrier}
  %count = load ptr, ptr %q, align 8
  %time = getelementptr i64, ptr %count, i64 8
  %now = load atomic i64, ptr %time acquire, align 8
  %before = atomicrmw add ptr %count, i64 1 acq_rel
  %came = add i64 %before, 1
  %last = icmp eq i64 %came, %threads
  br i1 %last, label %open, label %wait
open:
  store atomic i64 0, ptr %count monotonic, align 8
  %next = add i64 %now, 1
  store atomic i64 %next, ptr %time release, align 8
  br label %done
wait:
  %turns = phi i64 [ 0, %arrive ], [ %more, %again ]
  %then = load atomic i64, ptr %time acquire, align 8
  %opened = icmp ne i64 %then, %now
  br i1 %opened, label %done, label %look
look:
  {called}
  %more = add i64 %turns, 1
  %long = and i64 %more, 1023
  %tired = icmp eq i64 %long, 0
  br i1 %tired, label %yield, label %again
yield:
  {other}
  br label %again
again:
  br label %wait
done:
  ret void
}}
define void @meet_kernel(ptr %record, ptr %context) {{
  call void @meet(ptr %context)
  ret void
}}
"""
