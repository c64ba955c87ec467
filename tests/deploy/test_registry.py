"""The schema registry that tests run is the one whose checksum is committed, or none."""

import tarfile
from pathlib import Path

import pytest

from deploy.errors import PartUnavailableError
from deploy.registry import archive
from tests.parts.registry import new_registry


def packed(folder: Path) -> Path:
    folder.mkdir()
    (folder / archive.RUNNER).write_bytes(b"not Apicurio's")
    made = folder / "registry.tar.gz"
    with tarfile.open(made, "w:gz") as out:
        out.add(folder / archive.RUNNER, archive.RUNNER)
    return made


def test_an_archive_that_is_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartUnavailableError, match="its SHA-256 is"):
        archive._unpack(packed(tmp_path / "archive"), tmp_path / "apicurio")
    assert not (tmp_path / "apicurio").exists()


@pytest.mark.registry
def test_numbers_outlive_the_registry(tmp_path: Path) -> None:
    from schemas import codec
    from streams.log.registry import SchemaRegistry

    with new_registry(tmp_path) as registry:
        before = SchemaRegistry(registry.url).register(codec.schemas()[:3])
        registry.stop()
        registry.start()
        # In another order, in which an empty registry would give others.
        assert SchemaRegistry(registry.url).register(codec.schemas()[2::-1]) == before
