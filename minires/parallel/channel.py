"""Messages between two processes. While one waits for the other, it checks now and then that waiting makes sense."""

import pickle
import select
import socket

POLL_SECONDS = 0.1  # between two checks
LENGTH_BYTES = 8  # of a message's length, which precedes it


class Channel:
    """One end of a pair of sockets: send() and receive() whole objects.

    If the other end is closed, or its process has ended, both raise EOFError.
    """

    def __init__(self, end):
        self.end = end
        self.received = bytearray()
        end.setblocking(False)

    @classmethod
    def pair(cls):
        """Two ends. After a fork, each process closes the end of the other one."""
        return tuple(map(cls, socket.socketpair()))

    def send(self, message, while_waiting):
        """Send an object, and call while_waiting() now and then until all of it is sent."""
        data = pickle.dumps(message)
        rest = memoryview(len(data).to_bytes(LENGTH_BYTES, "little") + data)
        while rest:
            try:
                rest = rest[self.end.send(rest, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if not self._is_ready(select.POLLOUT, POLL_SECONDS):
                    while_waiting()
            except OSError as error:
                raise EOFError from error

    def receive(self, seconds=0):
        """The next object; None if it has not arrived completely within so many seconds."""
        if (message := self._next()) is None and self._is_ready(select.POLLIN, seconds):
            self._read()
            message = self._next()
        return message

    def close(self):
        """Close this end."""
        self.end.close()

    def shut_down(self):
        """Close both ends, even if other processes were forked with a copy of one."""
        self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()

    def _is_ready(self, event, seconds):
        poll = select.poll()
        poll.register(self.end, event)
        return bool(poll.poll(1000 * seconds))

    def _read(self):
        try:
            while chunk := self.end.recv(1 << 20):
                self.received += chunk
        except BlockingIOError:  # there is no more at present
            return
        except OSError as error:
            raise EOFError from error
        if self._next(keep=True) is None:
            raise EOFError

    def _next(self, keep=False):
        length = LENGTH_BYTES + int.from_bytes(self.received[:LENGTH_BYTES], "little")
        if len(self.received) < length:
            return None
        message = self.received[LENGTH_BYTES:length]
        if not keep:
            del self.received[:length]
        return pickle.loads(message)
