"""The network that fails does what it says, and nothing when it is told nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.proxy import RunningProxy

QUESTION, ANSWER = b"a question of some length" * 4, b"an answer that is rather longer than its question" * 10


class FarSide:
    """Answers every whole question with the same answer, and counts both."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.whole = 0
        self.heard = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        waiting = 0
        with connection, suppress(OSError):
            while heard := len(connection.recv(4096)):
                self.heard += heard
                waiting += heard
                if waiting >= len(QUESTION):
                    waiting -= len(QUESTION)
                    self.whole += 1
                    connection.sendall(ANSWER)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def far_side() -> Iterator[FarSide]:
    side = FarSide()
    yield side
    side.close()


@pytest.fixture(scope="module")
def running(far_side: FarSide) -> Iterator[RunningProxy]:
    with RunningProxy({"way": ("127.0.0.1", far_side.port)}, seed=7) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: RunningProxy, far_side: FarSide) -> RunningProxy:
    """A way without faults to a far side that has heard nothing."""
    running.heal("way")
    far_side.heard = far_side.whole = 0
    return running


def _ask(proxy: RunningProxy, *, times: int = 1, patience: float = 5.0) -> bytes:
    """All that is answered to `times` questions on one connection until it ends or is complete."""
    told = b""
    with socket.create_connection(("127.0.0.1", proxy.ports["way"]), timeout=patience) as wire:
        for number in range(1, times + 1):
            wire.sendall(QUESTION)
            while len(told) < number * len(ANSWER):
                if not (chunk := wire.recv(4096)):
                    return told
                told += chunk
    return told


def test_without_faults_all_is_passed_on(proxy: RunningProxy, far_side: FarSide) -> None:
    assert _ask(proxy, times=3) == 3 * ANSWER
    assert far_side.whole == 3


def test_a_cut_reply_was_asked_for_and_never_comes(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", cut_reply_share=1)
    assert _ask(proxy) == b""
    assert far_side.whole == 1


def test_a_cut_request_arrives_in_part(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", cut_request_share=1)
    assert _ask(proxy) == b""
    deadline = time.monotonic() + 5
    while not far_side.heard and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (far_side.whole, far_side.heard) == (0, len(QUESTION) // 2)


@pytest.mark.parametrize("slice_bytes", [0, 7])
def test_a_limited_answer_breaks_off_at_its_byte(proxy: RunningProxy, far_side: FarSide, slice_bytes: int) -> None:
    proxy.fault("way", limit_reply_share=1, limit_bytes=33, slice_bytes=slice_bytes)
    assert _ask(proxy) == ANSWER[:33]
    assert far_side.whole == 1


def test_a_half_closed_connection_says_that_nothing_more_comes(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", half_close_share=1)
    assert _ask(proxy) == b""
    assert far_side.whole == 1


def test_a_reset_is_no_polite_end(proxy: RunningProxy) -> None:
    proxy.fault("way", cut_reply_share=1, is_reset=True)
    with pytest.raises(ConnectionResetError):
        _ask(proxy)


def test_where_nobody_listens_nothing_leaves(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", is_refusing=True)
    with pytest.raises(ConnectionRefusedError):
        _ask(proxy)
    assert far_side.heard == 0
    proxy.heal("way")
    assert _ask(proxy) == ANSWER


def test_silence_passes_nothing_on(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", is_silent=True)
    with pytest.raises(TimeoutError):
        _ask(proxy, patience=0.3)
    assert far_side.heard == 0


def test_one_direction_may_be_silent(proxy: RunningProxy, far_side: FarSide) -> None:
    proxy.fault("way", is_deaf=True)
    with pytest.raises(TimeoutError):
        _ask(proxy, patience=0.3)
    assert far_side.whole == 1


@pytest.mark.parametrize(
    "faults",
    [{"delay_ms": 150}, {"reply_delay_ms": 150}, {"bytes_per_second": 2000}, {"jitter_ms": 5, "slice_bytes": 9}],
)
def test_what_is_slow_is_whole_in_the_end(proxy: RunningProxy, faults: dict[str, object]) -> None:
    proxy.fault("way", **faults)
    began = time.monotonic()
    assert _ask(proxy) == ANSWER
    if "jitter_ms" not in faults:
        assert time.monotonic() - began >= 0.14


def test_shares_are_drawn_for_each_exchange_as_the_seed_says(far_side: FarSide) -> None:
    told = []
    for _ in range(2):
        with RunningProxy({"way": ("127.0.0.1", far_side.port)}, seed=11) as proxy:
            proxy.fault("way", cut_reply_share=0.3)
            told.append([len(_ask(proxy, times=5)) for _ in range(12)])
            assert proxy.counts()["way"]["connections"] == 12
    assert told[0] == told[1]
    assert len(set(told[0])) > 2  # now this exchange was hit, now that
