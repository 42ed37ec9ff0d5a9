"""Objects come whole through a channel, and an end that does not read delays only its own message."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from minires.parallel.channel import Channel

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def received(channel):
    while (message := channel.receive(1)) is None:
        pass
    return message


@pytest.fixture
def ends():
    pair = Channel.pair()
    yield pair
    for end in pair:
        end.close()


def test_messages_come_whole_and_in_their_order(ends):
    here, there = ends
    array = np.arange(10)
    for message in (("a", 1), array, {}, "b"):
        here.send(message, None)
    assert received(there) == ("a", 1)
    np.testing.assert_array_equal(received(there), array)
    assert received(there) == {}
    assert received(there) == "b"
    assert there.receive() is None


def test_what_fits_into_no_socket_comes_in_parts(ends):
    here, there = ends
    array = np.arange(1 << 20)
    sender = threading.Thread(target=here.send, args=(array, lambda: None))
    sender.start()
    np.testing.assert_array_equal(received(there), array)
    sender.join()


def test_a_reader_that_stands_still_is_checked(ends):
    class GivenUpError(Exception):
        pass

    def give_up():
        raise GivenUpError

    with pytest.raises(GivenUpError):
        ends[0].send(np.zeros(1 << 20), give_up)


def test_half_a_message_is_none(ends):
    here, there = ends
    here.end.send((100).to_bytes(8, "little") + b"half")
    assert there.receive(0.01) is None
    assert there.receive(0.01) is None


def test_what_was_sent_before_the_end_is_read(ends):
    here, there = ends
    here.send("last", None)
    here.close()
    assert received(there) == "last"
    for _ in range(2):
        with pytest.raises(EOFError):
            there.receive(1)
    with pytest.raises(EOFError):
        there.send("too late", None)


def test_a_shutdown_is_seen_although_a_fork_has_the_end_too(ends):
    copy = os.dup(ends[0].end.fileno())
    ends[0].shut_down()
    with pytest.raises(EOFError):
        ends[1].receive(1)
    with pytest.raises(EOFError):
        ends[1].send("too late", None)
    os.close(copy)


def test_a_reader_waits_as_long_as_it_is_told_and_no_longer(ends):
    began = time.monotonic()
    assert ends[0].receive(0.2) is None
    assert 0.15 < time.monotonic() - began < 5
    ends[1].send("here", None)
    began = time.monotonic()
    assert ends[0].receive(60) == "here"
    assert time.monotonic() - began < 5


def test_two_ends_may_shut_down_one_after_the_other(ends):
    for end in ends:
        end.shut_down()
        assert end.end.fileno() == -1


def test_a_writer_whose_reader_has_gone_gets_no_signal(ends):
    """Some programs let SIGPIPE end them, as command-line tools do; Python's own default is to ignore it."""
    noticed = []
    before = signal.signal(signal.SIGPIPE, lambda number, frame: noticed.append(number))
    try:
        ends[1].close()
        with pytest.raises(EOFError):
            ends[0].send("too late", None)
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert noticed == []
