"""The system's clock, where the one on the wall is set."""

import time

import pytest

from adapters.system_clock import SystemClock


def test_a_clock_that_is_set_back_stands_still_and_time_passes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    stamped, began = clock.stamp(None), clock.elapsed()
    hour = 3_600 * 1_000_000_000
    set_back = time.time_ns() - hour
    monkeypatch.setattr("adapters.system_clock.time.time_ns", lambda: set_back)
    assert clock.now() == stamped
    assert clock.stamp(None) == stamped + 1
    while clock.elapsed() == began:
        time.sleep(0.001)
    assert clock.now() == stamped + 1
