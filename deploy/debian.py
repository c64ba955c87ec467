"""Real programs from Debian packages, without root; it must not install anything on the machine.

A program that is on the PATH is taken from there. Otherwise its package, and those of its dependencies that the
machine lacks, are downloaded and unpacked below ``.parts/debian`` of the checkout, and a two-line launcher tells the
loader where the libraries are.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.turns import one_at_a_time

ROOT = Path(__file__).parents[1] / ".parts" / "debian"
SYSTEM_LISTS = Path("/var/lib/apt/lists")
TIMEOUT = 600
"""Seconds that one call of apt or dpkg may take: a slow mirror, not a hung one."""

UNWANTED = ("libjs-", "node-", "prometheus-node-exporter")
"""Packages that a program depends on and that no test runs: scripts of web consoles, 200 MB of them."""


@dataclass(frozen=True)
class Part:
    """A program, the package it is in, its path there, and the folder of data whose path is compiled into it."""

    package: str
    path: str
    data: str = ""


PARTS = {
    "prometheus": Part("prometheus", "usr/bin/prometheus"),
    "promtool": Part("prometheus", "usr/bin/promtool"),
    "prometheus-alertmanager": Part(
        "prometheus-alertmanager", "usr/bin/prometheus-alertmanager", data="usr/share/prometheus/alertmanager"
    ),
    "kubectl": Part("kubernetes-client", "usr/bin/kubectl"),
    "redis-server": Part("redis-server", "usr/bin/redis-server"),
    "wrk": Part("wrk", "usr/bin/wrk"),
    "chromium": Part("chromium", "usr/lib/chromium/chromium"),
}


@cache
def program(name: str) -> Path:
    """Return an executable for the program of this name; raises PartUnavailableError.

    Blocks while packages are downloaded (once for a checkout). Safe to call from several processes at once.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    part = PARTS[name]
    launcher = ROOT / "bin" / name
    with one_at_a_time(ROOT):
        if not launcher.exists():
            tree = ROOT / part.package
            if not (tree / part.path).exists():
                _unpack(part.package, tree)
            _write_launcher(launcher, tree, part)
    return launcher


def _unpack(package: str, tree: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise PartUnavailableError(f"{package} is not on the PATH, and this is not a Debian where it could be fetched")
    lists = _package_lists()
    try:
        archives = _download(package, lists)
    except PartUnavailableError:
        if lists:
            raise
        # The system's lists may be older than the mirror: once more with fresh ones.
        archives = _download(package, _fresh_lists())
    unfinished = Path(tempfile.mkdtemp(dir=ROOT))
    for archive in archives:
        _run(["dpkg", "-x", str(archive), str(unfinished)])
    shutil.rmtree(tree, ignore_errors=True)
    unfinished.rename(tree)
    shutil.rmtree(ROOT / "archives" / package)


def _package_lists() -> list[str]:
    """Return the options of apt with which packages are known: none where the system's own lists are filled."""
    if any(SYSTEM_LISTS.glob("*_Packages*")):
        return []
    return _fresh_lists()


@cache
def _fresh_lists() -> list[str]:
    state = ROOT / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::Cache={state / 'cache'}"]
    # As root apt would fetch as its own user, who may not write here.
    options += ["-o", f"APT::Sandbox::User={'root' if os.getuid() == 0 else ''}"]
    _run(["apt-get", *options, "-qq", "update"])
    return options


def _download(package: str, lists: list[str]) -> list[Path]:
    archives = ROOT / "archives" / package
    archives.mkdir(parents=True, exist_ok=True)
    # A simulated installation names exactly what this machine lacks.
    simulated = _run(["apt-get", *lists, "--simulate", "--no-install-recommends", "install", package])
    missing = [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]
    missing = [name for name in missing if not name.startswith(UNWANTED)]
    _run(["apt-get", *lists, "-qq", "download", *(missing or [package])], folder=archives)
    return sorted(archives.glob("*.deb"))


def _write_launcher(launcher: Path, tree: Path, part: Part) -> None:
    if not (tree / part.path).exists():
        raise PartUnavailableError(f"the package {part.package} holds no {part.path}")
    libraries = ":".join(str(path) for path in _library_folders(tree))
    launcher.parent.mkdir(exist_ok=True)
    unfinished = launcher.with_suffix(".new")
    unfinished.write_text(
        "#!/bin/sh\n"
        f"{_fonts(tree)}{_data(tree, part)}"
        f"LD_LIBRARY_PATH={shlex.quote(libraries)}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}} "
        f'exec {shlex.quote(str(tree / part.path))} "$@"\n',
        "utf-8",
    )
    unfinished.chmod(0o755)
    unfinished.rename(launcher)


def _data(tree: Path, part: Part) -> str:
    """Lead a program to its data, which it looks for at a path of the system: by a descriptor, in a path of equal length."""
    if not part.data:
        return ""
    installed, descriptor = f"/{part.data}".encode(), b"/proc/self/fd/9"
    binary = tree / part.path
    binary.write_bytes(binary.read_bytes().replace(installed, descriptor.ljust(len(installed), b"/")))
    return f"exec 9<{shlex.quote(str(tree / part.data))}\n"


def _fonts(tree: Path) -> str:
    """Return the line that leads fontconfig to the unpacked fonts, where the machine has none of its own."""
    folder = tree / "usr" / "share" / "fonts"
    if Path("/etc/fonts/fonts.conf").exists() or not folder.is_dir():
        return ""
    configuration = tree / "fonts.conf"
    configuration.write_text(
        f"<fontconfig><dir>{folder}</dir><cachedir>{tree / 'fonts'}</cachedir></fontconfig>", "utf-8"
    )
    return f"export FONTCONFIG_FILE={shlex.quote(str(configuration))}\n"


def _library_folders(tree: Path) -> list[Path]:
    roots = [tree / "usr" / "lib", tree / "lib"]
    names = ("*.so", "*.so.[0-9]*")
    return sorted({found.parent for root in roots for name in names for found in root.rglob(name)})


def _run(command: list[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise PartUnavailableError(f"{shlex.join(command)} took more than {TIMEOUT} s") from None
    if done.returncode != 0:
        raise PartUnavailableError(f"{shlex.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
