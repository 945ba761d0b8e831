"""A child compiles, trains and predicts, whatever the other threads of its parent were at when it was forked."""

import gc
import io
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from scalargrad import MLP, SGD, Value, compile, no_grad, observers
from scalargrad.nn import Module, Parameter
from scalargrad.support import forks
from scalargrad.support.progress import progress_bar
from tests.oracles.forks import PATIENCE, Stop, a_thread_at, in_a_child
from tests.paths import ROOT

X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here"),
    # Where another test has loaded JAX, that warns of every fork. That no child of ours hangs is the test.
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]


def compiles_trains_and_predicts():
    """All of it, with the right numbers."""
    assert "data" in Value.__slots__
    assert type(Value.__dict__["data"]) is type(Value.__dict__["grad"]) is type(Value.__dict__["label"])
    assert not observers.open_blocks
    assert gc.isenabled()
    w = Value(3.0)
    program = compile(lambda x: w * x * x)
    assert program([1.0, 3.0]) == 15.0
    assert program.backward([1.0, 3.0]) == 15.0
    assert w.grad == 5.0
    ends = []
    for engine in ("compiled", "eager"):
        model = MLP(2, [4, 1], rng=0)
        model.fit(X, y, optimizer=SGD(0.1), epochs=3, engine=engine)
        ends.append(model.predict(X, engine=engine))
    assert abs(ends[0] - ends[1]).max() < 1e-12
    assert "total" in MLP(2, [4, 1]).summary()


def twice(stop, x):
    stop()
    return x + x


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Slow(Module):
    def __init__(self, stop):
        self.w, self.stop = Parameter(2.0), stop

    def __call__(self, x):
        self.stop()
        return self.w * x[0]


class SlowRule(SGD):
    def __init__(self, stop):
        super().__init__(0.1)
        self.stop = stop

    def update(self, p, g, state, lr, t):
        self.stop()
        return super().update(p, g, state, lr, t)


def traces(stop):
    compile(partial(twice, stop))([1.0])


def trains(stop):
    MLP(2, [3, 1], rng=0).fit(X, y, epochs=2, callbacks=[lambda run: stop()], progress=False)


def is_evaluated(stop):
    Slow(stop).predict([[1.0]], engine="eager")


def is_summed_up(stop):
    class Whole(Module):
        def __init__(self):
            self.part = MLP(1, [1])
            self.slow = Slow(stop)

        def __call__(self, x):
            return self.slow(x)

    Whole().summary([1.0])


def records_nothing(stop):
    with no_grad():
        stop()


def shows_a_bar(stop):
    from tqdm.std import TqdmDefaultWriteLock

    sys.stderr = Terminal()
    with progress_bar(1, "epoch"), TqdmDefaultWriteLock.th_lock:
        stop()


def is_kept(stop):
    class Holder:
        @forks.kept
        def made(self):
            stop()
            return 1

    threading.current_thread().holder = Holder
    assert Holder().made == 1


WORK = [traces, trains, is_evaluated, is_summed_up, records_nothing, shows_a_bar, is_kept]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_what_another_thread_was_at_does_not_keep_a_child(work):
    apart(f"_at({work.__name__})")


def _at(work):
    compiles_trains_and_predicts()
    with a_thread_at(work):
        assert (told := in_a_child(compiles_trains_and_predicts)) == "", told
    compiles_trains_and_predicts()


def apart(call):
    """Call a function of this module in a process of its own: here, JAX may have threads, and warns of forks."""
    command = [
        sys.executable,
        "-c",
        f"from tests.support import test_fork; from tests.support.test_fork import *; test_fork.{call}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=3 * PATIENCE)
    assert done.returncode == 0, done.stderr[-2000:]


def test_programs_models_and_optimizers_of_other_threads_can_be_used():
    apart("_shared()")


def _shared():
    stop = Stop()
    model, w = Slow(stop), Value(2.0)
    program = compile(lambda x: w * x + 0.0 * twice(stop, x))
    optimizer = SlowRule(stop)
    trainer = compile(lambda x: (w * x - 1.0) ** 2).trainer(optimizer)
    for work in (
        lambda: model.predict([[1.0]], engine="eager"),
        lambda: program([1.0, 2.0]),
        lambda: trainer.step([1.0, 2.0]),
    ):
        stop.__init__()
        thread = threading.Thread(target=work)
        thread.start()
        assert stop.reached.wait(PATIENCE)

        def uses_them():
            stop.left.set()
            assert model.training
            assert optimizer.lr == 0.1
            assert gc.isenabled()
            assert model.predict([[1.0]]) == model.predict([[1.0]], engine="eager") == 2.0
            assert program([1.0, 2.0]) == 3.0
            assert trainer.step([1.0, 1.0]) == 1.0
            assert w.data == 1.8

        assert in_a_child(uses_them) == ""
        stop.left.set()
        thread.join()
        w.data, optimizer.steps = 2.0, 0


def test_a_fork_waits_for_llvm():
    apart("_llvm()")


def _llvm():
    compiles_trains_and_predicts()
    from llvmlite.binding import ffi

    for lock in (forks.whole, ffi.lib._lock):
        finished = []

        def holds(stop, lock=lock, finished=finished):
            with lock:
                threading.Timer(0.3, stop.left.set).start()
                stop()
                finished.append(True)

        def looks(finished=finished):
            assert finished
            compiles_trains_and_predicts()

        with a_thread_at(holds):
            assert in_a_child(looks) == ""


def test_a_program_that_was_running_runs_in_the_child():
    apart("_running()")


def _running():
    w = Value(1.0)
    program = compile(lambda x: w * x, threads=2)
    program([1.0, 2.0])
    backend = program.last.forward_backend
    stops, run = [], backend._run
    backend._run = lambda *arguments: stops[0]() or run(*arguments)

    def runs(stop):
        stops.append(stop)
        program([1.0, 2.0])

    def runs_again():
        stops[0].left.set()
        assert program([1.0, 2.0]) == 1.5

    with a_thread_at(runs):
        assert in_a_child(runs_again) == ""


def check(fact):
    assert fact


@pytest.mark.long
def test_blocks_of_the_forking_thread_stay_open():
    apart("_own_blocks()")


def _own_blocks():
    def nothing_recorded():
        assert observers.open_blocks == 1
        assert (Value(1.0) + 1.0).op is None

    with no_grad():
        assert in_a_child(nothing_recorded) == ""
    answers = []

    def forks_itself(x):
        if not answers:
            answers.append(in_a_child(lambda: check(type(Value.__dict__["data"]) is property)))
        return x + x

    assert compile(forks_itself)([2.0]) == 4.0
    model = MLP(2, [4, 1], rng=0)
    callbacks = [lambda run: answers.append(in_a_child(lambda: model.predict(X)))]
    callbacks.append(lambda run: answers.append(in_a_child(compiles_trains_and_predicts)))
    model.fit(X, y, epochs=2, callbacks=callbacks)
    assert answers == [""] * 5
    assert type(Value.__dict__["data"]) is type(Value.__dict__["label"])


def taken_and_given_back(lock):
    taken = lock.acquire(timeout=1.0)
    if taken:
        lock.release()
    return taken


def test_a_lock_that_is_named_while_a_fork_waits():
    """A fork gives back the locks that it took, no other: another thread may load LLVM in between."""
    entered, lock = threading.Event(), threading.RLock()

    def loads_llvm():
        with forks.whole:
            entered.set()
            time.sleep(0.1)
            forks.in_whole(lock)

    thread = threading.Thread(target=loads_llvm)
    thread.start()
    try:
        assert entered.wait(PATIENCE)
        assert in_a_child(lambda: None) == ""
        thread.join()
        free = []
        thread = threading.Thread(target=lambda: free.append(taken_and_given_back(forks.whole)))
        thread.start()
        thread.join()
        assert free == [True]
        assert (told := in_a_child(compiles_trains_and_predicts)) == "", told
    finally:
        forks._also_whole.remove(lock)


@pytest.mark.long
def test_a_fork_during_the_first_import():
    """In a fresh process, where the first `fit` loads NumPy, llvmlite and most of scalargrad."""
    for delay in (0.01, 0.05, 0.1, 0.2, 0.4):
        apart(f"_first({delay})")


def _first(delay):
    thread = threading.Thread(target=lambda: MLP(2, [1], rng=0).fit(X, y, epochs=1))
    thread.start()
    time.sleep(delay)
    assert (told := in_a_child(compiles_trains_and_predicts)) == "", told
    thread.join()


def fits():
    MLP(2, [4, 1], rng=0).fit(X, y, epochs=3, batch_size=3)


def compiles():
    factor, w = random.random(), Value(2.0)  # a program of its own each time
    compile(lambda x: sum([factor * w * x for _ in range(50)]), threads=2)([1.0, 2.0])


def evaluates():
    with no_grad():
        MLP(2, [4, 1], rng=0).predict(X, engine="eager")
    MLP(2, [8, 8, 1], rng=0).summary()


@pytest.mark.sampled(4)
@pytest.mark.parametrize("times", [3, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("work", [fits, compiles, evaluates], ids=lambda work: work.__name__)
def test_forks_at_any_moment(work, times):
    apart(f"_any_moment({work.__name__}, {times})")


def _any_moment(work, times):
    compiles_trains_and_predicts()
    ended = threading.Event()

    def again_and_again():
        while not ended.is_set():
            work()

    threads = [threading.Thread(target=again_and_again) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(times):
            time.sleep(0.1 * random.random())
            assert (told := in_a_child(compiles_trains_and_predicts)) == "", told
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def predicted(model):
    compiles_trains_and_predicts()
    return model.predict(X).tolist()


@pytest.mark.parametrize(
    "method", ["fork", *(pytest.param(x, marks=pytest.mark.long) for x in ("spawn", "forkserver"))]
)
def test_pools_of_processes(method):
    if method in multiprocessing.get_all_start_methods():
        apart(f"_pools({method!r})")


def _pools(method):
    model = MLP(2, [4, 1], rng=0)
    model.fit(X, y, epochs=3)
    right = model.predict(X).tolist()
    context = multiprocessing.get_context(method)
    with warnings.catch_warnings(), a_thread_at(traces):
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        with context.Pool(2) as pool:
            assert pool.map(predicted, [model] * 4) == [right] * 4
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            assert list(executor.map(predicted, [model] * 4)) == [right] * 4


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the same, from joblib's forks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # three epochs are too few
@pytest.mark.long
def test_a_grid_search_in_two_processes():
    from sklearn.model_selection import GridSearchCV

    from scalargrad.sklearn import MLPRegressor

    estimator = MLPRegressor((3,), max_iter=3, random_state=0)
    searches = [GridSearchCV(estimator, {"alpha": [0.0, 0.1]}, cv=2, n_jobs=n).fit(X * 3, y * 3) for n in (1, 2)]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    assert one.tolist() == two.tolist()
