"""Where and with what a measurement was made."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "scipy", "numba", "pandas", "formulaic")


def circumstances(project: Path) -> dict[str, Any]:
    """Date, machine, versions and commit."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "commit": commit(project),
    }


def machine() -> dict[str, Any]:
    """Processor, cores, memory and operating system."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": memory_gb(),
        "os": f"{operating_system()}, {platform.system()} {platform.machine()}",
    }


def cpu_model() -> str:
    """Name of the processor with family and model, which clouds leave out of the name."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.split(":", 1) for line in path.read_text().splitlines() if ":" in line]
    facts = {key.strip(): value.strip() for key, value in reversed(lines)}
    name = facts.get("model name", platform.machine())
    if "cpu family" not in facts:
        return name
    return f"{name} (family {facts['cpu family']}, model {facts.get('model', '?')})"


def memory_gb() -> float | None:
    """Installed memory, or None where the system does not tell."""
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    if any(name not in os.sysconf_names for name in names):
        return None
    return round(os.sysconf(names[0]) * os.sysconf(names[1]) / 2**30, 1)


def operating_system() -> str:
    """Name of the distribution or system."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def versions() -> dict[str, str]:
    """Python and the packages that the project stands on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit(project: Path) -> str:
    """Hash of the commit that is measured, marked where files but results differ from it."""
    found = _git(project, "describe", "--always", "--abbrev=12")
    changed = _git(project, "status", "--porcelain", "-uno", "--", ".", ":(exclude)**/results/**")
    return f"{found or 'unknown'}{'-dirty' if changed else ''}"


def _git(project: Path, *arguments: str) -> str:
    """What git says, nothing where there is none."""
    try:
        command = ["git", "-C", str(project), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
