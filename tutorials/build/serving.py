"""The built site on a server of this machine. Notebooks that run in a browser need one; a file is not enough."""

import contextlib
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from tutorials.build.lesson import LessonError

PORT = 8000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def _server(folder, port):
    if not (folder / "index.html").exists():
        raise LessonError(f"{folder} has no site; make it: python -m tutorials.build site")
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), functools.partial(_Quiet, directory=folder))
    except OSError as error:
        raise LessonError(f"port {port} of this machine cannot be used: {error.strerror}") from None


def serve(folder, port=PORT):
    """Serve the site until Ctrl+C, and print its address."""
    with _server(folder, port) as server:
        print(f"http://127.0.0.1:{server.server_port}/  (Ctrl+C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@contextlib.contextmanager
def served(folder):
    """Serve the site meanwhile. -> its address"""
    with _server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
