"""The page's static files with their types and the hashes that let browsers keep them for ever."""

from collections.abc import Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parents[1] / "static"
CACHE_CONTROL = "public, max-age=31536000, immutable"
"""For a request with the right ``v``; without one an asset is to be revalidated."""


class Asset(msgspec.Struct, frozen=True):
    """One static file; ``version`` is a hash of its content."""

    content: bytes
    media_type: str
    version: str


class Assets:
    """The static files by name, read once. Raises KeyError for a name that is not among them."""

    def __init__(self, files: Mapping[str, Asset]) -> None:
        self.files = files

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Assets":
        """Read all files of the folder."""
        return cls({path.name: _asset(path) for path in sorted(folder.iterdir()) if path.is_file()})

    def url(self, name: str) -> str:
        """Return the address of an asset: ``/static/page.css?v=3f2a...``."""
        return f"/static/{name}?v={self.files[name].version}"


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return Asset(content, media_type + charset, sha256(content).hexdigest()[:16])
