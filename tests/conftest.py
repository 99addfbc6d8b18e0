"""Settings and fixtures that tests share."""

import signal
import threading

import hypothesis
import pytest

# Drawn examples are the same on every run, and a slow shared machine is no failure.
hypothesis.settings.register_profile("ftrans", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("ftrans")


@pytest.fixture
def interrupt_soon():
    """A function that sends SIGINT to this process a little later."""
    timers = []
    target = (threading.main_thread().ident, signal.SIGINT)

    def later():
        timers.append(threading.Timer(0.15, signal.pthread_kill, target))
        timers[-1].start()

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield later
    signal.signal(signal.SIGINT, lambda *_: None)  # one that comes late is not pytest's
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, previous)
