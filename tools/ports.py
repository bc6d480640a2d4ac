"""Free ports for servers that are started some time later, or again after they were killed."""

import contextlib
import random
import socket

# Below the ports that systems give to connections: one of those can be taken before the server listens.
PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return some ports of the loopback address on which nobody listens."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        candidates = iter(random.sample(PORTS, len(PORTS)))
        while len(ports) < count:
            listening = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listening.bind(("127.0.0.1", port := next(candidates)))
                ports.append(port)
        return ports
