"""A stand-in of the hub on the loopback interface: repositories of files at commits, and what was asked of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


class HubServer:
    """`commits[kind, repo]` are (hash, files), the last of which is main, `names` other revisions of them; `asked` are
    the requests.

    `refusals` answers those whose path begins so with a status and the hub's word for the error; a file of `broken`
    breaks off in the middle; who is `silent` hangs up.
    """

    def __init__(self) -> None:
        self.commits: dict[tuple[str, str], list[tuple[str, Files]]] = {}
        self.names: dict[str, str] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.broken: set[str] = set()
        self.silent = False
        self.asked: list[str] = []
        self.address = ""

    def push(self, kind: str, repo: str, files: Files) -> str:
        """A new commit on main; returns its hash."""
        commits = self.commits.setdefault((kind, repo), [])
        commits.append((hashlib.sha1(f"{kind} {repo} {len(commits)}".encode()).hexdigest(), files))
        return commits[-1][0]

    def find(self, kind: str, repo: str, revision: str) -> tuple[str, Files] | None:
        commits = self.commits.get((kind, repo), [])
        if revision == "main":
            return commits[-1] if commits else None
        wanted = self.names.get(revision, revision)
        return next((each for each in commits if each[0] == wanted), None)


@contextmanager
def serving() -> Iterator[HubServer]:
    """A server that answers until the block ends."""
    hub = HubServer()
    with answering(hub, _Handler):
        yield hub


@contextmanager
def answering(hub: HubServer, kind: type[_Handler]) -> Iterator[None]:
    """Within the block this hub has an address, at which such a handler answers."""

    class Handler(kind):  # type: ignore[misc, valid-type]
        server_hub = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """What the hub client asks: a repository's commit, its tree, facts of paths, and files."""

    server_hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        self._answer(body=True, asked=self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bool, asked: bytes = b"") -> None:
        path = unquote(urlsplit(self.path).path)
        self.server_hub.asked.append(f"{self.command} {path}")
        if self.server_hub.silent:
            self.close_connection = True
            return
        for start, (status, code) in self.server_hub.refusals.items():
            if path.startswith(start):
                self._send(status, b"{}", {"X-Error-Code": code} if code else {})
                return
        parts = path.strip("/").split("/")
        if parts[0] == "api" and parts[1] in ("datasets", "models"):
            self._facts(parts[1][:-1], "/".join(parts[2:4]), parts[4:], asked)
            return
        kind = "dataset" if parts[0] == "datasets" else "model"
        first = int(kind == "dataset")
        revision, name = self._parted(kind, "/".join(parts[first : first + 2]), parts[first + 3 :])
        if parts[first + 2 : first + 3] == ["resolve"]:
            self._file(kind, "/".join(parts[first : first + 2]), revision, name, body)
        else:
            self._send(404, b"", {})

    def _parted(self, kind: str, repo: str, rest: list[str]) -> tuple[str, str]:
        """A revision, whose name may have slashes, and what comes after it."""
        for end in range(1, len(rest) + 1):
            if self.server_hub.find(kind, repo, "/".join(rest[:end])):
                return "/".join(rest[:end]), "/".join(rest[end:])
        return rest[0] if rest else "main", "/".join(rest[1:])

    def _facts(self, kind: str, repo: str, rest: list[str], asked: bytes) -> None:
        revision, below = self._parted(kind, repo, rest[1:])
        found = self.server_hub.find(kind, repo, revision)
        if found is None:
            known = (kind, repo) in self.server_hub.commits
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})
            return
        commit, files = found
        if rest[:1] == ["tree"]:
            self._json(_tree(f"{below}/" if below else "", files, recursive="recursive=true" in self.path.lower()))
        elif rest[:1] == ["paths-info"]:
            wanted = json.loads(asked)["paths"]
            self._json([_entry(name, files) for name in files if name in wanted])
        else:
            siblings = [{"rfilename": name} for name in files]
            self._json({"id": repo, "sha": commit, "siblings": siblings, "private": False, "gated": False, "tags": []})

    def _file(self, kind: str, repo: str, revision: str, name: str, body: bool) -> None:
        found = self.server_hub.find(kind, repo, revision)
        if found is None or name not in found[1]:
            commit = {"X-Repo-Commit": found[0]} if found else {}
            self._send(404, b"", {"X-Error-Code": "EntryNotFound" if found else "RepoNotFound", **commit})
            return
        content = found[1][name]
        headers = {"X-Repo-Commit": found[0], "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        self._send(200, content, headers, body, half=name in self.server_hub.broken)

    def _json(self, found: Any) -> None:
        self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], body: bool = True, half: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if half else content)
            self.close_connection = self.close_connection or half


def _tree(folder: str, files: Files, recursive: bool) -> list[dict[str, Any]]:
    """What stands in a folder, which is "" or ends with a slash: right in it, or at any depth."""
    if recursive:
        return [_entry(name, files) for name in files if name.startswith(folder)]
    below = [name.removeprefix(folder) for name in files if name.startswith(folder)]
    folders = sorted({name.partition("/")[0] for name in below if "/" in name})
    return [
        *({"type": "directory", "path": folder + name, "oid": "0" * 40, "size": 0} for name in folders),
        *(_entry(folder + name, files) for name in below if "/" not in name),
    ]


def _entry(name: str, files: Files) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(files[name]), "oid": hashlib.sha1(files[name]).hexdigest()}
