"""The server: on this machine alone, at a port that is free."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from faultlens.errors import UserError
from faultlens.explorer.app import explorer_app
from faultlens.explorer.source import Source

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Listening:
    """A server that has its port.

    Attributes:
        server: what answers.
        taken: the socket at which it listens.
        address: what a reader opens, the token in it.
    """

    server: uvicorn.Server
    taken: socket.socket
    address: str

    def run(self) -> None:
        """Answer until the process is told to stop."""
        try:
            self.server.run(sockets=[self.taken])
        finally:
            self.taken.close()


def listen(
    source: Source, port: int, new_token: Callable[[], str] = lambda: secrets.token_urlsafe(32)
) -> Listening:
    """Take a port for a source; 0: any that is free.

    Raises UserError if the port is taken, or may not be had.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"port {port} cannot be had ({reason}): choose another with --port, or 0 for any"
        ) from error
    number, token = taken.getsockname()[1], new_token()
    config = uvicorn.Config(
        explorer_app(source, token, number), log_level="warning", access_log=False, ws="none",
        lifespan="off", server_header=False,
    )  # fmt: skip
    return Listening(uvicorn.Server(config), taken, f"http://{HOST}:{number}/?token={token}")
