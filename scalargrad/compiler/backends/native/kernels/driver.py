"""The driver: the one loop that walks the records of a program, block after block, step after step; the barrier.

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
STAGE = 6  # integers: first record and number of records of its three parts
UNIFORM, LANES, SUMS = 0, 2, 4  # where each part is
# Why threads do no more: an operation met a wrong argument, the caller asked for it, or a loss is inf or nan.
WRONG, STOPPED, NOT_FINITE = 1, 2, 3


def driver(code: KernelCode) -> str:
    """The functions `run` (a job) and `walk` (records), as text. Each thread runs, with a context of its own:

    for step in steps:
        for stage in stages:
            walk its uniform records                # they divide the rows among threads
            barrier
            for share in this thread's shares:
                for block in the share: walk the lane records
            barrier
            the sums of the shares: walk the records that reduce them
            barrier
        the first thread: note the loss, count the step
        barrier
    """
    _DriverCode(code).write()
    return "\n".join([WALK, code.text("run")])


class _DriverCode:
    """The code of the driver, its loops from the outside in."""

    def __init__(self, code: KernelCode) -> None:
        self.code = code
        self.job = {name: code.field(name) for name in JOB}
        self.lanes_of_panel = code.vectors * code.width
        self.thread, self.threads, self.shares = (code.context(name) for name in ("thread", "threads", "shares"))
        self.failed, self.stop = code.context("failed", "ptr"), self._pointer(self.job["stop"])
        panels = code.integer_add(self.job["batch"], self.lanes_of_panel - 1)
        self.panels = code(f"sdiv i64 {panels}, {self.lanes_of_panel}")
        self.share_bytes = code.context("share_bytes")
        self.in_place = code(f"icmp ne i64 {self.job['sums_in_place']}, 0")

    def write(self) -> None:
        self.code.loop(self.job["steps"], self._step)

    def _step(self, number: str) -> None:
        code = self.code
        start = code.integer_mul(number, self.job["advance"])
        with code.when(self._agreed()):
            code.loop(self.job["stages"], lambda stage: self._stage(stage, start))
            leads = code(f"icmp eq i64 {self.thread}, 0")
            with code.when(code(f"and i1 {self._is_zero(self.failed)}, {leads}")):
                self._end_of_step(number)
            self._barrier()

    def _stage(self, stage: str, start: str) -> None:
        code = self.code
        with code.when(self._agreed()):
            self._walk(stage, UNIFORM)
        self._barrier()
        with code.when(code(f"icmp sgt i64 {self._entry(stage, LANES + 1)}, 0")):
            code.loop(self.shares, lambda share: self._share(stage, share, start), first=self.thread, step=self.threads)
            self._barrier()
            self._put("partial", self.job["own_partial"])
            with code.when(code(f"xor i1 {self.in_place}, true")), code.when(self._is_zero(self.failed)):
                self._walk(stage, SUMS)
            self._barrier()

    def _share(self, stage: str, share: str, start: str) -> None:
        code, job = self.code, self.job
        first = code(f"sdiv i64 {code.integer_mul(self.panels, share)}, {self.shares}")
        last = code(f"sdiv i64 {code.integer_mul(self.panels, code.integer_add(share, 1))}, {self.shares}")
        self._put("partial", code.integer_add(job["own_partial"], code.integer_mul(share, self.share_bytes)))
        start_of_sums = code(f"select i1 {self.in_place}, i64 0, i64 {first}")

        def block_or_stop(panel: str) -> None:
            asked = code(f"icmp ne i64 {code(f'load atomic i64, ptr {self.stop} monotonic, align 8')}, 0")
            with code.when(asked):
                code.write(f"store atomic i64 {STOPPED}, ptr {self.failed} monotonic, align 8")
            with code.when(self._is_zero(self.failed)):
                self._block(stage, panel, last, start, start_of_sums)

        code.loop(last, block_or_stop, first=first, step=job["block"])

    def _block(self, stage: str, panel: str, last: str, start: str, start_of_sums: str) -> None:
        code, job = self.code, self.job
        count = code.integer_min(code.integer_sub(last, panel), job["block"])
        before = code.integer_mul(panel, self.lanes_of_panel)
        room = code.integer_mul(count, self.lanes_of_panel)
        self._put("panels", count)
        self._put("valid", code.integer_min(code.integer_sub(job["batch"], before), room))
        self._put("position", code.integer_add(start, before))
        fresh = code(f"icmp eq i64 {panel}, {start_of_sums}")
        self._put("fresh", code(f"zext i1 {fresh} to i64"))
        apart = code(f"icmp ne i64 {job['lanes_of_blocks']}, 0")
        own = code.integer_mul(self.thread, job["own_lanes_bytes"])
        there = code.integer_mul(panel, code.context("panel_bytes"))
        offset = code(f"select i1 {apart}, i64 {there}, i64 {own}")
        self._put("lanes", code.integer_add(job["own_lanes"], offset))
        self._walk(stage, LANES)

    def _end_of_step(self, number: str) -> None:
        code, job = self.code, self.job
        with code.when(code(f"icmp ne i64 {job['history']}, 0")):
            loss = code.load_number(self._pointer(job["mean"]))
            place = code.at(self._pointer(job["history"]), code.integer_mul(number, code.size))
            code.store_number(loss, place)
            difference = code(f"fsub {code.number} {loss}, {loss}")  # 0, but for inf and nan
            with code.when(code(f"fcmp une {code.number} {difference}, 0.0")):
                code.write(f"store atomic i64 {NOT_FINITE}, ptr {self.failed} monotonic, align 8")
        done = self._pointer(job["done"])
        following = code.integer_add(code(f"load i64, ptr {done}, align 8"), 1)
        code.write(f"store atomic i64 {following}, ptr {done} release, align 8")

    def _put(self, name: str, x: str) -> None:
        """Set an integer of the context."""
        self.code.write(f"store i64 {x}, ptr {self.code.at('%context', 8 * CONTEXT.index(name))}, align 8")

    def _walk(self, stage: str, part: int) -> None:
        first, count = self._entry(stage, part), self._entry(stage, part + 1)
        self.code.write(f"call void @walk(ptr {self._pointer(first)}, i64 {count}, ptr %context)")

    def _entry(self, stage: str, place: int) -> str:
        code = self.code
        offset = code.integer_add(code.integer_mul(stage, 8 * STAGE), 8 * place)
        return code(f"load i64, ptr {code.at(self._pointer(self.job['table']), offset)}, align 8")

    def _pointer(self, address: str) -> str:
        return self.code(f"inttoptr i64 {address} to ptr")

    def _is_zero(self, address: str) -> str:
        return self.code(f"icmp eq i64 {self.code(f'load atomic i64, ptr {address} monotonic, align 8')}, 0")

    def _barrier(self) -> None:
        self.code.write("call void @barrier(ptr %context)")

    def _agreed(self) -> str:
        """Nothing has failed so far. All threads look before any of them goes on and may fail: they see the same."""
        so_far = self._is_zero(self.failed)
        self._barrier()
        return so_far


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


def barrier(pause: str, give_way: int) -> str:
    """The function `barrier`, as text: all threads wait for the last one. It is two integers, a count and a generation.

    before = generation; count += 1
    the last of the threads: count = 0; generation += 1
    the others: wait until generation != before

    pause     an instruction for a loop that waits, or ""
    give_way  the address of the system's function that lets other threads run, called now and then; 0 for none
    """
    threads, shared = (8 * CONTEXT.index(name) for name in ("threads", "barrier"))
    other = f"call i32 inttoptr (i64 {give_way} to ptr)()" if give_way else ""
    declared = f"declare void @{pause}" if pause else ""
    called = f"call void @{pause}" if pause else ""
    return f"""
{declared}
define void @barrier(ptr %context) {{
start:
  %p = getelementptr i8, ptr %context, i64 {threads}
  %threads = load i64, ptr %p, align 8
  %several = icmp sgt i64 %threads, 1
  br i1 %several, label %arrive, label %done
arrive:
  %q = getelementptr i8, ptr %context, i64 {shared}
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
define void @barrier_kernel(ptr %record, ptr %context) {{
  call void @barrier(ptr %context)
  ret void
}}
"""
