"""The garbage collector is as before, whoever paused it, in however many threads."""

import gc
import threading

import pytest

from scalargrad.support.collecting import uncollected


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_is_as_before_when_all_threads_have_left(collects, monkeypatch):
    asked, before = gc.isenabled, gc.isenabled()
    left = threading.Event()

    def stays(entered):
        with uncollected():
            entered()
            left.wait()

    def slowly():  # meanwhile the other thread leaves
        answer = asked()
        left.set()
        other.join(0.2)
        return answer

    (gc.enable if collects else gc.disable)()
    try:
        entered = threading.Event()
        other = threading.Thread(target=stays, args=(entered.set,))
        other.start()
        entered.wait()
        monkeypatch.setattr(gc, "isenabled", slowly)
        with uncollected():
            assert not asked()
        other.join()
        assert asked() == collects
    finally:
        (gc.enable if before else gc.disable)()
