"""What two processes say to each other. While one waits for the other, it looks whether there is reason to."""

import pickle
import select
import socket

SECONDS = 0.1  # between two looks
LENGTH = 8  # bytes that say how long a message is


class Channel:
    """An end of a pair of sockets: send() and receive() whole objects, in the parts that fit into a socket's memory.

    When the other end is closed, or its process has ended, both raise EOFError.
    """

    def __init__(self, end):
        self.end = end
        self.arrived = bytearray()
        end.setblocking(False)

    @classmethod
    def pair(cls):
        """Two ends. A process that was forked in between closes the one that is not its own."""
        return tuple(map(cls, socket.socketpair()))

    def send(self, message, meanwhile):
        """Send an object, and call meanwhile() now and then until all of it has left."""
        data = pickle.dumps(message)
        left = memoryview(len(data).to_bytes(LENGTH, "little") + data)
        while left:
            try:
                left = left[self.end.send(left, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if not self._is_ready(select.POLLOUT, SECONDS):
                    meanwhile()
            except OSError as error:
                raise EOFError from error

    def receive(self, seconds=0):
        """What has arrived within so many seconds, an object; None if none has arrived whole."""
        if (message := self._next()) is None and self._is_ready(select.POLLIN, seconds):
            self._read()
            message = self._next()
        return message

    def close(self):
        """Close this end."""
        self.end.close()

    def hang_up(self):
        """Close both ends, though other processes may have been forked with a copy of one."""
        self.end.shutdown(socket.SHUT_RDWR)
        self.end.close()

    def _is_ready(self, event, seconds):
        poll = select.poll()
        poll.register(self.end, event)
        return bool(poll.poll(1000 * seconds))

    def _read(self):
        try:
            while part := self.end.recv(1 << 20):
                self.arrived += part
        except BlockingIOError:  # that was all
            return
        except OSError as error:
            raise EOFError from error
        if self._next(keep=True) is None:
            raise EOFError

    def _next(self, keep=False):
        length = LENGTH + int.from_bytes(self.arrived[:LENGTH], "little")
        if len(self.arrived) < length:
            return None
        message = self.arrived[LENGTH:length]
        if not keep:
            del self.arrived[:length]
        return pickle.loads(message)
