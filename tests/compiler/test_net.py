"""The net below the guards: tracing again, in time. Faults of both are seen; neither asks code of the user."""

import math
import operator
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, RMSProp, TraceError, Value, compile
from scalargrad.compiler import agreement, variants
from scalargrad.compiler import trace as tracing
from scalargrad.compiler.compiled import Compiled
from scalargrad.compiler.trainer import Trainer
from scalargrad.compiler.watch import guards, surroundings, walk
from tests.compiler.changes.cases import CHANGES, FROZEN
from tests.compiler.changes.running import COLUMNS, check
from tests.compiler.changes.running import surroundings as set_up

X, Y = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 3.0, 2.0])


@pytest.fixture
def scale(tmp_path):
    """A number in a file, which no guard sees."""

    class InAFile:
        path = tmp_path / "scale.txt"

        def write(self, number):
            self.path.write_text(str(number), encoding="utf-8")

        def __call__(self):
            return float(self.path.read_text(encoding="utf-8"))

    found = InAFile()
    found.write(2.0)
    return found


@pytest.fixture
def always(monkeypatch):
    """The net is there at every call."""
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", math.inf)


@pytest.fixture
def at_fits_only(monkeypatch):
    """The net is there where a fit begins, and not because time has passed."""
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", 0.0)


@pytest.fixture
def traces(monkeypatch):
    """A list that grows by one with every trace."""
    made = []

    def counted(*args, **options):
        made.append(None)
        return tracing.trace(*args, **options)

    for module in (variants, agreement):
        monkeypatch.setattr(module, "trace", counted)
    return made


# When it runs.


class Clock:
    """Stands still, unless a program runs or a function is traced."""

    def __init__(self, monkeypatch, run, trace):
        self.now, self.made = 0.0, 0
        results = Compiled._results

        def slow_results(*args):
            self.now += run
            return results(*args)

        def slow_trace(*args, **options):
            self.now += trace
            self.made += 1
            return tracing.trace(*args, **options)

        monkeypatch.setattr(variants, "perf_counter", lambda: self.now)
        monkeypatch.setattr(Compiled, "_results", slow_results)
        for module in (variants, agreement):
            monkeypatch.setattr(module, "trace", slow_trace)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("run", "trace"), [(1.0, 2.0), (0.25, 8.0), (64.0, 1.0), (1.0, 0.0)])
def test_it_takes_a_twentieth_of_the_time_of_programs_and_no_more(run, trace, monkeypatch):
    clock, w = Clock(monkeypatch, run, trace), Value(3.0)
    program = compile(lambda x: w * x, backend="numpy")
    calls = 4000
    for call in range(1, calls + 1):
        program([1.0])
        checks = clock.made - 2  # the first two make the program
        assert checks * trace <= call * run / 20.0
        # No check is late by more than its cost, and there is one a call, at most.
        assert checks >= min(call - 2, math.floor((call - 1) * run / 20.0 / trace - 1.0) if trace else call - 2)
    assert clock.made > 2


def test_what_has_not_run_since_is_not_traced_again(always, traces):
    """Neither the function nor the formula of the optimizer, of which no new program is made either."""
    program = compile(lambda x, y: (x - y) ** 2 * Value(1.0), backend="numpy")
    trainer = program.trainer(SGD(0.1))
    trainer.prepare(X[:, 0], Y)
    first, loops = len(traces), list(program.loops)
    for _ in range(5):
        trainer.prepare(X[:, 0], Y)
    assert len(traces) == first
    assert program.loops == loops


def test_steady_functions_are_traced_a_bounded_number_of_times(traces, monkeypatch):
    monkeypatch.setattr(variants.Variant, "check", lambda self: None)
    log, w = [], Value(2.0)

    def plain(x):
        return w * x

    def prints(x):
        print("once more")
        return w * x

    def keeps_a_log(x):
        log.append("once more")
        return w * x

    for function, most in ((plain, 2), (prints, 2), (keeps_a_log, 2 + agreement.MORE_RUNS)):
        traces.clear()
        program = compile(function, backend="numpy")
        assert [program([1.0, 2.0]) for _ in range(300)] == [3.0] * 300
        assert len(traces) <= most
        assert len(program.variants) == 1


def test_functions_that_write_are_checked_and_do_not_loop(always, traces, capsys):
    log, w = [], Value(2.0)

    def function(x):
        print("once more")
        log.append(x)
        return w * x

    program = compile(function, backend="numpy")
    assert [program([1.0, 2.0]) for _ in range(50)] == [3.0] * 50
    assert len(traces) == 2 + 49
    assert len(log) == len(traces) == capsys.readouterr().out.count("once more")


def test_a_function_that_draws_is_refused_at_each_call_and_does_not_loop(traces):
    source = np.random.default_rng(0)
    program = compile(lambda x: x * source.random(), backend="numpy")
    for _ in range(5):
        with pytest.raises(TraceError, match="random"):
            program([1.0])
    assert len(traces) <= 5 * 4


# What it finds.


def test_its_error_says_where_since_when_and_what_to_do(scale, always):
    program = compile(lambda x: x * scale(), backend="numpy")
    line = test_its_error_says_where_since_when_and_what_to_do.__code__.co_firstlineno + 1
    assert [program([1.0]) for _ in range(3)] == [2.0] * 3
    scale.write(3.0)
    with pytest.raises(TraceError) as error:
        program([1.0])
    message = str(error.value)
    assert message.startswith(f"test_net.py:{line}: the function has become another one")
    assert (
        "call 2 of this program was the last to be checked, and call 3 may have given what the old one gives" in message
    )
    assert "the next call traces it anew" in message
    assert "retrace()" in message
    assert len(message) < 400
    assert [program([1.0]) for _ in range(3)] == [3.0] * 3


def test_its_error_counts_calls(scale, always, monkeypatch):
    program = compile(lambda x: x * scale(), backend="numpy")
    program([1.0])
    program([1.0])  # checks the first
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", 0.0)
    for _ in range(4):
        program([1.0])
    scale.write(3.0)
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", math.inf)
    with pytest.raises(TraceError, match=r"call 1 of .* calls 2 to 6 may"):
        program([1.0])
    assert program([1.0]) == 3.0


def test_retrace_leaves_it_nothing_to_find(scale, always):
    program = compile(lambda x: x * scale(), backend="numpy")
    assert program([1.0]) == 2.0
    scale.write(3.0)
    program.retrace()
    assert program([1.0]) == 3.0


def test_an_error_of_the_function_itself_is_raised_as_it_is(scale, always):
    program = compile(lambda x: x * scale(), backend="numpy")
    assert program([1.0]) == 2.0
    scale.path.unlink()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            program([1.0])
    scale.write(5.0)
    assert program([1.0]) == 5.0


def test_a_function_that_now_branches_is_refused_with_the_line(scale, always):
    program = compile(lambda x: x * 2.0 if scale() == 2.0 or x > 0.0 else x, backend="numpy")
    assert program([1.0]) == 2.0
    scale.write(3.0)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"test_net.py:\d+: .*comparison"):
            program([1.0])


def test_another_number_of_operations_is_found(scale, always):
    def function(x):
        for _ in range(int(scale())):
            x = x * 2.0
        return x

    program = compile(function, backend="numpy")
    assert program([1.0]) == 4.0
    scale.write(3)
    with pytest.raises(TraceError, match="cannot watch"):
        program([1.0])
    assert program([1.0]) == 8.0


# Who takes part.


def weighted(scale):
    def loss(output, target):
        return (output - target) ** 2 * scale()

    return loss


def check_fits(scale, engine="compiled"):
    """The second fit says that the loss has become another one, and the third goes on with that."""
    scale.write(2.0)
    model, loss = MLP(1, [1], rng=0), weighted(scale)
    model.fit(X, Y, loss, SGD(0.01), epochs=3, engine=engine, progress=False)
    scale.write(3.0)
    before = [parameter.data for parameter in model.parameters()]
    with pytest.raises(TraceError, match=r"test_net.py:\d+: .*cannot watch.* calls 1 to 3 may"):
        model.fit(X, Y, loss, SGD(0.01), epochs=3, engine=engine, progress=False)
    assert [parameter.data for parameter in model.parameters()] == before
    history = model.fit(X, Y, loss, SGD(0.01), epochs=3, engine=engine, progress=False)
    other = MLP(1, [1], rng=0)
    other.load_parameters(before)
    right = other.fit(X, Y, loss, SGD(0.01), epochs=3, engine="eager", progress=False)
    np.testing.assert_allclose(history["loss"], right["loss"], rtol=1e-9)


def test_each_fit_begins_with_a_check(scale, at_fits_only):
    check_fits(scale)


def test_a_fit_of_an_unchanged_loss_is_traced_once_more(scale, at_fits_only, traces):
    model, loss = MLP(1, [1], rng=0), weighted(scale)
    model.fit(X, Y, loss, SGD(0.01), epochs=2, progress=False)
    first = len(traces)
    for fits in (1, 2, 3):
        model.fit(X, Y, loss, SGD(0.01), epochs=2, progress=False)
        assert len(traces) == first + fits


VERBS = {
    "program": lambda program: program(X[:, 0], Y),
    "value_and_grad": lambda program: program.value_and_grad(X[:, 0], Y),
    "backward": lambda program: program.backward(X[:, 0], Y),
    "to_jax": lambda program: program.to_jax(X[:, 0], Y),
}
TRAINERS = {
    "step": lambda trainer: trainer.step(X[:, 0], Y),
    "run": lambda trainer: trainer.run(X[:, 0], Y, epochs=2, progress=False),
    "run in batches": lambda trainer: trainer.run(X[:, 0], Y, epochs=2, progress=False, callbacks=[lambda *_: None]),
    "epoch": lambda trainer: trainer.epoch(X[:, 0], Y),
}


def of_a_file(scale):
    w = Value(3.0)
    return compile(lambda x, y: (w * x - y) ** 2 * scale(), backend="numpy")


@pytest.mark.parametrize("verb", [name for name in VERBS if name != "to_jax"])
def test_calls_take_part(verb, scale, always):
    program = of_a_file(scale)
    first = np.ravel(VERBS[verb](program)[0] if verb == "value_and_grad" else VERBS[verb](program))
    scale.write(6.0)
    with pytest.raises(TraceError, match="cannot watch"):
        VERBS[verb](program)
    found = VERBS[verb](program)
    np.testing.assert_allclose(np.ravel(found[0] if verb == "value_and_grad" else found), 3.0 * first, rtol=1e-12)


@pytest.mark.parametrize("way", TRAINERS)
def test_trainers_take_part(way, scale, always):
    trainer = of_a_file(scale).trainer(SGD(0.0), batch_size=2 if way == "run in batches" else None)

    def loss():
        found = TRAINERS[way](trainer)
        return np.ravel(found["loss"] if isinstance(found, dict) else found)

    first = loss()
    scale.write(6.0)
    with pytest.raises(TraceError, match="cannot watch"):
        loss()
    np.testing.assert_allclose(loss(), 3.0 * first, rtol=1e-12)


@pytest.mark.parametrize("engine", ["compiled", pytest.param("jax", marks=pytest.mark.long)])
@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_models_take_part(verb, engine, scale, always):
    class Scaled(MLP):
        def __call__(self, x):
            return super().__call__(x) * scale()

    model = Scaled(1, [1], rng=0)
    act = {
        "predict": lambda engine: model.predict(X, engine=engine),
        "evaluate": lambda engine: model.evaluate(X, Y, "mse", engine=engine).loss,
    }[verb]
    np.testing.assert_allclose(act(engine), act("eager"), rtol=1e-6)
    scale.write(6.0)
    with pytest.raises(TraceError, match="cannot watch"):
        act(engine)
    np.testing.assert_allclose(act(engine), act("eager"), rtol=1e-6)


def test_threads_that_call_at_once(scale, always):
    program, threads, rounds = of_a_file(scale), 6, 20
    right = {number: of_a_file(scale)(X[:, 0], Y) / 2.0 * number for number in (2.0, 3.0)}
    found, refused = [], []
    barrier = threading.Barrier(threads + 1)

    def work():
        for half in range(2):
            barrier.wait(60)
            for _ in range(rounds):
                try:
                    found.append((half, program(X[:, 0], Y)))
                except TraceError:
                    refused.append(half)
            barrier.wait(60)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait(60)
    barrier.wait(60)
    scale.write(3.0)
    barrier.wait(60)
    barrier.wait(60)
    for worker in workers:
        worker.join()
    assert refused == [1]  # one call finds it, and all that come later are right
    assert len(found) == 2 * threads * rounds - 1
    np.testing.assert_allclose([answer for half, answer in found], [right[2.0 + half] for half, _ in found], rtol=1e-12)


# Planted faults.


def never(self, **_):
    return ""


def no_check(self):
    return None


@contextmanager
def blind(sees):
    """A watcher that sees only what this says of a code."""
    watched = tracing.watched

    @contextmanager
    def half_blind(quiet=list):
        seen = set()
        with watched(quiet) as codes:
            yield seen
        seen.update(code for code in codes if sees(code))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "watched", half_blind)
        yield


@contextmanager
def planted(owner, name, fault):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fault)
        yield


def the_class_of_an_object_without_attributes():
    class Double:
        __slots__ = ()

    class Triple:
        __slots__ = ()

    model = Double()
    yield lambda x: x * 2.0 if isinstance(model, Double) else x * 3.0
    model.__class__ = Triple


CASES = {**CHANGES, "the_class_of_an_object_without_attributes": the_class_of_an_object_without_attributes}
FAULTS = {  # a fault, and a case that shows it
    "no guard is ever asked": (lambda: planted(surroundings.Surroundings, "changed", never), "a_number"),
    "names are not looked up": (lambda: planted(guards.Reads, "changed", never), "an_attribute"),
    "containers are not read": (lambda: planted(guards.Items, "changed", never), "an_item_of_a_list"),
    "no containers are read": (lambda: planted(guards.Containers, "changed", never), "an_item_of_a_list"),
    "arrays are not read": (lambda: planted(guards.Bits, "changed", never), "an_array_in_place"),
    "names that appear are not seen": (
        lambda: planted(guards.Sizes, "changed", never),
        "a_global_that_hides_a_builtin",
    ),
    "classes of objects are not compared": (
        lambda: planted(guards.Kinds, "changed", never),
        "the_class_of_an_object_without_attributes",
    ),
    "layers are not compared": (lambda: planted(guards.Spaces, "changed", never), "the_activation_of_a_neuron"),
    "modes are not asked for": (lambda: planted(guards.Modes, "changed", never), "a_module_behind_a_module"),
    "the watcher sees nothing": (lambda: blind(lambda code: False), "a_number"),
    "the watcher misses methods": (
        lambda: blind(lambda code: "self" not in code.co_varnames[:1]),
        "the_attribute_behind_a_property",
    ),
    "the watcher misses generators": (lambda: blind(lambda code: not code.co_flags & 0x20), "a_generator_function"),
    "the watcher misses lambdas": (lambda: blind(lambda code: code.co_name != "<lambda>"), "the_key_of_sorted"),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("column", ["numpy", "fit"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_of_guards_and_watcher_is_seen_by_the_table(fault, column, tmp_path, monkeypatch):
    monkeypatch.setattr(variants.Variant, "check", no_check)
    plant, case = FAULTS[fault]
    check(CASES[case], tmp_path, COLUMNS[column])
    with plant(), pytest.raises(AssertionError, match="after the change"):
        check(CASES[case], tmp_path, COLUMNS[column])
    check(CASES[case], tmp_path, COLUMNS[column])


def check_net(case, folder):
    """A change that no guard sees is found at the next call."""
    with set_up(case, folder) as (function, change):
        program = compile(function, backend="numpy")
        program([1.0])
        change()
        with pytest.raises(TraceError, match="cannot watch"):
            program([1.0])


NETS = {
    "the net never runs": ("check_in_time", no_check),
    "the net does not trace": ("check", no_check),
    "the net never finds it time": ("running", property(lambda self: 0.0, lambda self, seconds: None)),
}


@pytest.mark.parametrize("fault", NETS)
def test_a_net_that_never_runs_is_seen(fault, tmp_path, always):
    check_net(FROZEN["the_content_of_a_file"], tmp_path)
    name, planted_method = NETS[fault]
    with pytest.MonkeyPatch.context() as patch:
        if fault == "the net never finds it time":
            patch.setattr(variants, "SHARE_OF_CHECKS", 1.0)
        patch.setattr(variants.Variant, name, planted_method, raising=False)
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            check_net(FROZEN["the_content_of_a_file"], tmp_path)


def test_a_fit_that_begins_without_a_check_is_seen(scale, monkeypatch):
    prepared = Trainer._prepared
    monkeypatch.setattr(Trainer, "_prepared", lambda self, group, checked=False: prepared(self, group))
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_fits(scale)


# Guards and the net ask no code of the user.


class HostileError(BaseException):
    """Nobody may catch it by chance."""


# fmt: off
ASKED = [
    "__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__get__", "__set__", "__delete__",
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__len__", "__length_hint__", "__bool__",
    "__iter__", "__next__", "__reversed__", "__getitem__", "__setitem__", "__contains__", "__missing__", "__call__",
    "__enter__", "__exit__", "__repr__", "__str__", "__format__", "__bytes__", "__float__", "__int__", "__index__",
    "__complex__", "__round__", "__add__", "__radd__", "__mul__", "__rmul__", "__array__", "__array_ufunc__",
    "__buffer__", "__reduce__", "__reduce_ex__", "__getstate__", "__copy__", "__deepcopy__", "__sizeof__",
    "__fspath__", "__instancecheck__", "__subclasscheck__",
]
# fmt: on
PROPERTIES = ["__class__", "__dict__", "__array_interface__", "__array_struct__", "shape", "dtype", "data", "scale"]


def hostile(names, base=object):
    """An object whose methods and properties of these names raise when they are called, and the list of calls."""
    calls = []

    def method(name):
        def called(*args, **options):
            calls.append(name)
            raise HostileError(name)

        return property(called) if name in PROPERTIES else called

    kind = type("Hostile", (base,), {name: method(name) for name in names})
    return base.__new__(kind), calls


def reaching(thing):
    """A function that reaches a thing in many ways and asks it for nothing, and what changes what it reads."""
    things, table, pair, array = [thing, 2.0], {"thing": thing, "scale": 2.0}, (thing, 2.0), np.empty(2, object)
    array[0], array[1] = thing, 2.0

    class Holder:
        kept = (thing,)
        __slots__ = ("__dict__", "slot")

    holder = Holder()
    holder.thing = holder.slot = thing
    space = {
        "thing": thing,
        "things": things,
        "table": table,
        "pair": pair,
        "array": array,
        "holder": holder,
        "rate": 2.0,
    }
    text = """
def function(x, default=thing):
    same = things[0] is thing and table["thing"] is pair[0] and array[0] is holder.thing and holder.slot is default
    same = same and holder.kept[0] is thing
    return x * rate * things[1] * table["scale"] if same else x * 100.0
"""
    exec(text, space)

    def change():
        space["rate"] = 3.0

    return space["function"], change


def check_hostile(names, base=object):
    thing, calls = hostile(names, base)
    function, change = reaching(thing)
    program = compile(function, backend="numpy")
    found = [program([1.0]), program([1.0])]
    change()
    found += [program([1.0]), program([1.0])]
    assert found == [8.0, 8.0, 12.0, 12.0]
    assert calls == []


@pytest.mark.parametrize("name", [*ASKED, *PROPERTIES])
def test_no_method_of_an_object_in_reach_is_called(name, always):
    check_hostile([name])


def test_no_method_of_an_object_in_reach_is_called_of_many(always):
    check_hostile([*ASKED, *PROPERTIES])


BUILT_IN = [name for name in ASKED if name not in ("__get__", "__set__", "__delete__", "__buffer__", "__next__")]


@pytest.mark.parametrize("base", [list, dict, tuple, set, frozenset, float, int, str, bytes, bytearray, complex])
def test_no_method_of_a_subclass_in_reach_is_called(base, always):
    check_hostile(BUILT_IN, base)


@pytest.mark.parametrize(
    ("name", "owner", "function", "fault"),
    [
        ("__eq__", guards, "is_", operator.eq),
        ("__class__", walk, "is_drawn_from", lambda thing: isinstance(thing, list)),
        ("__dict__", walk, "_attributes", lambda thing, read: thing.__dict__),
    ],
)
def test_a_guard_that_asks_is_seen(name, owner, function, fault, monkeypatch):
    monkeypatch.setattr(owner, function, fault)
    with pytest.raises((HostileError, AssertionError)):
        check_hostile([name])


@pytest.mark.parametrize("kind", [SGD, RMSProp, Adam])
def test_steps_and_calls_in_a_row_ask_no_question_twice(kind, monkeypatch):
    """What a step changes itself, such as how many there were, is no reason to look at names one by one."""
    model = MLP(2, [3, 1], rng=0)
    program = compile(lambda x, y: (model(x) - y) ** 2)
    trainer = program.trainer(kind(0.01))
    X, y = np.ones((4, 2)), np.ones(4)

    def work():
        trainer.step(X, y)
        program(X, y)

    for _ in range(3):
        work()
    asked = []
    first_change = guards.Reads.first_change
    monkeypatch.setattr(guards.Reads, "first_change", lambda self: asked.append(self) or first_change(self))
    for _ in range(3):
        work()
    assert not asked
    model.layers[0].neurons[0].activation = "tanh"
    work()
    assert asked
