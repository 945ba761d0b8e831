"""Processes that fork: a thread that stands where it is told to, and a child that reports what it did."""

import os
import signal
import threading
import traceback
import warnings
from contextlib import contextmanager

PATIENCE = 120  # seconds, on a machine that does other things besides


def in_a_child(work):
    """Fork, do some work in the child, and return what went wrong there, or "". A child that hangs is ended."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on, a fork beside other threads is warned of: a child may hang. That ours does not is the test.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # JAX's, where another test has loaded it
        child = os.fork()
    if not child:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            work()
            os._exit(0)
        except BaseException:
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as answer:
        said = answer.read().decode()
    status = os.waitpid(child, 0)[1]
    return said or (f"the child ended with status {status}" if status else "")


class Stop:
    """A place where a thread stays until it is let go."""

    def __init__(self):
        self.reached, self.left = threading.Event(), threading.Event()

    def __call__(self):
        self.reached.set()
        self.left.wait(PATIENCE)


@contextmanager
def a_thread_at(work):
    """A block during which a thread does `work(stop)` and has called `stop`."""
    stop = Stop()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        assert stop.reached.wait(PATIENCE)
        yield
    finally:
        stop.left.set()
        thread.join()
