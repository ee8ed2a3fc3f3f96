"""Where bench.methods and bench.suites are in a checkout: in the folders methods/ and suites/ beside bench/.

In an installed copy they are folders of the package itself, and nothing here has a part in finding them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent
FOLDERS = ("methods", "suites")


class RepositoryFolders:
    """Finds the two packages by their folders. Asked last, so that a folder inside the package goes before.

    A finder by what it does: importlib.abc, which has the class for it, would take part of every start.
    """

    @classmethod
    def install(cls) -> None:
        """Ask one from now on, unless the package has the folders itself."""
        inside = all((PACKAGE / folder).is_dir() for folder in FOLDERS)
        if not inside and not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.append(cls())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, folder = fullname.partition(".")
        if package != PACKAGE.name or folder not in FOLDERS:
            return None
        place = PACKAGE.parent / folder
        return spec_from_file_location(fullname, place / "__init__.py", submodule_search_locations=[str(place)])
