"""The paths that clients see. If a proxy serves the registry below a path, they start with it (`HOPTAC_ROOT_PATH`).

The program itself uses only paths such as `/v1/projects`. `public` turns them into the paths that clients see, where
they are put into a response.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

_root = ""  # of this process, which serves one registry


def set_root_path(root: str) -> None:
    """Set the path below which clients reach the registry. It is empty if there is none."""
    global _root
    _root = root


def public(path: str) -> str:
    """Return a path of the program as clients see it."""
    return _root + path


def absolute(public_url: str, path: str) -> str:
    """Return the URL of a path, or only the path as clients see it if the public URL is not known."""
    return public_url.rstrip("/") + path if public_url else public(path)


class RootPath:
    """An ASGI middleware that removes the path of the proxy from requests, if the proxy has not removed it."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._root}/"):
            raw_path = scope.get("raw_path", b"").removeprefix(self._root.encode())
            scope = {**scope, "path": scope["path"][len(self._root) :] or "/", "raw_path": raw_path or b"/"}
        await self.app(scope, receive, send)
