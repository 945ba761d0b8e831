"""The node process that runs programs: one for each process of Python, started when it is first asked for."""

import atexit
import json
import shutil
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.support.forks import freed, in_children

SERVER = Path(__file__).parent / "server.js"
MISSING = 'the backend "javascript" runs programs in node, which is not installed here: see https://nodejs.org'


class Node:
    """A process of node, which is started anew after it has ended, or in a child.

    starts   how often it was started: programs of an earlier start are gone
    dropped  the numbers of programs that nobody needs any longer
    """

    def __init__(self) -> None:
        self.lock = freed(threading.RLock())
        self.process: subprocess.Popen | None = None
        self.starts = self.programs = 0
        self.dropped: list[int] = []

    def started(self) -> int:
        """Make sure that it runs; `starts`. ModuleNotFoundError where there is no node."""
        if self.process is None or self.process.poll() is not None:
            self.end()
            program = shutil.which("node")
            if program is None:
                raise ModuleNotFoundError(MISSING, name="node")
            # In a session of its own: a Ctrl-C is Python's.
            self.process = subprocess.Popen(
                [program, str(SERVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            self.starts += 1
        return self.starts

    def call(self, head: dict[str, Any], arrays: list[ndarray]) -> tuple[dict[str, Any], list[ndarray]]:
        """Send a call, and wait for its answer. If either is broken off, by a Ctrl-C say, the process ends.

        RuntimeError, if node fails or has ended.
        """
        dropped = self.dropped[:]
        del self.dropped[: len(dropped)]  # in place: finalizers hold the list
        head = {**head, "arrays": [array.size for array in arrays], "dropped": dropped}
        try:
            self._write(json.dumps(head).encode(), arrays)
            found = json.loads(self._read(*struct.unpack("<I", self._read(4))))
            answers = [numpy.frombuffer(self._read(8 * count)) for count in found["arrays"]]
        except (OSError, EOFError):
            status = self.process.wait() if self.process else None
            self.end()
            raise RuntimeError(f"node has ended with status {status} in the middle of a call; try it again") from None
        except BaseException:
            self.end()
            raise
        if "failed" in found:
            raise RuntimeError(f"node: {found['failed']}")
        return found, answers

    def _write(self, head: bytes, arrays: list[ndarray]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        pipe = self.process.stdin
        pipe.write(struct.pack("<I", len(head)) + head)
        for array in arrays:
            pipe.write(numpy.ascontiguousarray(array, "float64").data.cast("B") if array.size else b"")
        pipe.flush()

    def _read(self, count: int) -> bytes:
        assert self.process is not None
        assert self.process.stdout is not None
        found = self.process.stdout.read(count)
        if len(found) < count:
            raise EOFError
        return found

    def end(self) -> None:
        """End the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # of what was still to be written
                        pipe.close()

    def leave(self) -> None:
        """Let a parent keep its process, in a child."""
        if self.process is not None:
            self.process.returncode = 0  # nothing that this child waits for
            self.process = None


node = Node()
in_children(node.leave)
atexit.register(node.end)
