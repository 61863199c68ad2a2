"""The repository as the tooling tests see it: its tracked files and who includes whom."""

import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


@functools.cache
def tracked():
    """Names of the tracked files that exist, and of new ones that git would not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


def sources(*suffixes, under=()):
    return [n for n in tracked() if n.endswith(suffixes) and (not under or n.startswith(tuple(under)))]


@functools.cache
def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@functools.cache
def includes(name):
    """What a file includes: repository names as such, everything else as written."""
    return [quoted or angled for quoted, angled in INCLUDE.findall(text(name))]


def reachable(name, known=None):
    """Maps every header that `name` reaches, foreign ones too, to the file that includes it."""
    known = {} if known is None else known
    for header in includes(name):
        if header not in known:
            known[header] = name
            if (ROOT / header).is_file():
                reachable(header, known)
    return known


def chain(name, header, known):
    """How `name` comes to include `header`, as "a -> b -> c"."""
    path = [header]
    while path[-1] != name:
        path.append(known[path[-1]])
    return " -> ".join(reversed(path))
