"""The stand-in of the hub with what a push asks of it: who asks, repositories, upload modes, large files, commits."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.data.hub_server import Files, HubServer, _entry, _Handler, answering

LARGE = (".parquet", ".png", ".safetensors")  # what the hub keeps as large files
NEW: Files = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}


class WritableHub(HubServer):
    """`tokens` are who may write, by token: "" may read alone. `objects` are large files by their hash.

    `before_commit` is called once, before the next commit is taken: another's push may come there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"token-of-us": "us", "token-of-reader": ""}
        self.private: set[str] = set()
        self.objects: dict[str, bytes] = {}
        self.messages: list[str] = []
        self.before_commit: Callable[[], object] | None = None

    def files(self, repo: str, revision: str = "main") -> Files:
        found = self.find("dataset", repo, revision)
        assert found is not None
        return found[1]


@contextmanager
def serving_writable() -> Iterator[WritableHub]:
    """A server that answers until the block ends."""
    hub = WritableHub()
    with answering(hub, _WritableHandler):
        yield hub


class _WritableHandler(_Handler):
    server_hub: WritableHub

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server_hub.objects[oid] = content
        self._send(200, b"", {})

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = path.strip("/").split("/")
        self.server_hub.asked.append(f"POST {path}")
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(content))
        elif parts[-3:] == ["lfs", "objects", "batch"]:
            self._large(json.loads(content))
        elif len(parts) > 4 and parts[4] == "preupload":
            self._modes("/".join(parts[2:4]), json.loads(content))
        elif len(parts) > 4 and parts[4] == "commit":
            self._commit("/".join(parts[2:4]), [json.loads(line) for line in content.splitlines()])
        else:
            self._facts(parts[1][:-1], "/".join(parts[2:4]), parts[4:], content)

    def _facts(self, kind: str, repo: str, rest: list[str], asked: bytes) -> None:
        found = self.server_hub.find(kind, repo, rest[1] if len(rest) > 1 else "main")
        if repo in self.server_hub.private and self._user() != repo.partition("/")[0]:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif found is not None and (not rest or rest[0] == "revision"):
            commit, files = found
            siblings = [{"rfilename": name} for name in files]
            private = repo in self.server_hub.private
            self._json(
                {"id": repo, "sha": commit, "siblings": siblings, "private": private, "gated": False, "tags": []}
            )
        elif found is not None and rest[0] == "tree" and "recursive" in self.path:
            self._json([_entry(name, found[1]) for name in found[1]])
        elif found is None and self.server_hub.commits.get((kind, repo)):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            super()._facts(kind, repo, rest, asked)

    def _user(self) -> str | None:
        """Whose token it is; None of none."""
        return self.server_hub.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _may_write(self, owner: str) -> bool:
        if self._user() is None:
            self._refuse(401, "Invalid username or password.")
        elif self._user() != owner:
            self._refuse(403, f"You don't have the rights to write under the namespace {owner!r}")
        return self._user() == owner

    def _refuse(self, status: int, message: str) -> None:
        self._send(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json"})

    def _create(self, asked: dict[str, Any]) -> None:
        owner = asked.get("organization") or self._user() or ""
        repo = f"{owner}/{asked['name']}"
        if not self._may_write(owner):
            return
        if self.server_hub.commits.get((asked["type"], repo)):
            self._send(409, json.dumps({"url": f"{self.server_hub.address}/datasets/{repo}"}).encode(), {})
            return
        if asked.get("private") or asked.get("visibility") == "private":
            self.server_hub.private.add(repo)
        self.server_hub.push(asked["type"], repo, dict(NEW))
        self._json({"url": f"{self.server_hub.address}/datasets/{repo}", "id": repo})

    def _modes(self, repo: str, asked: dict[str, Any]) -> None:
        if self._may_write(repo.partition("/")[0]):
            files = [
                {"path": file["path"], "shouldIgnore": False, "oid": None,
                 "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular"}
                for file in asked["files"]
            ]  # fmt: skip
            self._json({"files": files})

    def _large(self, asked: dict[str, Any]) -> None:
        there = self.server_hub.objects
        objects = [
            {"oid": each["oid"], "size": each["size"]}
            | ({} if each["oid"] in there else {"actions": {"upload": {"href": self._place(each["oid"])}}})
            for each in asked["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _place(self, oid: str) -> str:
        return f"{self.server_hub.address}/large/{oid}"

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        hub = self.server_hub
        if not self._may_write(repo.partition("/")[0]):
            return
        if hub.before_commit is not None:
            meanwhile, hub.before_commit = hub.before_commit, None
            meanwhile()
        header, *operations = lines
        parent, files = hub.commits["dataset", repo][-1]
        if header["value"].get("parentCommit", parent) != parent:
            self._refuse(412, "A commit has happened since. Please refresh and try again.")
            return
        files = dict(files)
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = hub.objects[value["oid"]]
            else:
                assert operation["key"] == "deletedFile"
                del files[value["path"]]
        hub.messages.append(header["value"]["summary"])
        commit = hub.push("dataset", repo, files)
        self._json(
            {"success": True, "commitOid": commit, "commitUrl": f"{hub.address}/datasets/{repo}/commit/{commit}"}
        )
