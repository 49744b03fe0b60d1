"""Fetch uv, pinned and verified, with nothing but the standard library.

A fresh machine may have python3 without pip or venv; a wheel is a zip file, and uv is one program
in it. UV_DEFAULT_INDEX or PIP_INDEX_URL name another package index than the public one.
"""

import hashlib
import io
import json
import os
import pathlib
import platform
import sys
import urllib.request
import zipfile

VERSION = "0.13.9"
WHEELS = {
    ("Linux", "x86_64"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "aarch64"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Darwin", "arm64"): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("Darwin", "x86_64"): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
}


def index() -> str:
    chosen = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL")
    return (chosen or "https://pypi.org/simple").rstrip("/")


def wheel_url(name: str) -> str:
    wanted = {"Accept": "application/vnd.pypi.simple.v1+json"}
    request = urllib.request.Request(f"{index()}/uv/", headers=wanted)
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    return next(file["url"] for file in files if file["filename"] == name)


def main(target: pathlib.Path) -> None:
    machine = (platform.system(), platform.machine())
    if machine not in WHEELS:
        sys.exit(f"no pinned uv for {' '.join(machine)}: install uv {VERSION} and put it on PATH")
    tag, digest = WHEELS[machine]
    try:
        url = wheel_url(f"uv-{VERSION}-py3-none-{tag}.whl")
        with urllib.request.urlopen(url, timeout=300) as answer:
            data = answer.read()
    except (OSError, ValueError, KeyError, StopIteration) as trouble:
        sys.exit(f"uv {VERSION} cannot be fetched from {index()}: {trouble}; put uv on PATH")
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"uv {VERSION} from {index()} is not the pinned file; refusing to run it")
    install(data, target)


def install(data: bytes, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        program = next(name for name in wheel.namelist() if name.endswith("/scripts/uv"))
        fresh.write_bytes(wheel.read(program))
    fresh.chmod(0o755)
    # Two runs at once may both get here; the last rename wins and both programs are the same.
    fresh.replace(target)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
