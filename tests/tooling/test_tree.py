"""The repository's shape: its top level, the size of its files, what each folder and file says about itself."""

import ast
import json
import re
import statistics
import subprocess

import pytest
import repository

TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md",
    "protos", "services", "common", "deploy", "docker", "k8s", "tests",
}  # fmt: skip
CODE = (".cc", ".h", ".proto", ".py", ".sh", ".cmake", "CMakeLists.txt")
MAX_LINES = 500
SHELL = [*repository.sources(".sh"), ".ci/run"]


def lines(name):
    return repository.text(name).count("\n")


def test_top_level_is_fixed():
    top = {name.split("/")[0] for name in repository.tracked()}
    assert {t for t in top if not t.startswith(".")} - TOP_LEVEL == set()


def test_long_files_give_their_reason():
    """Over 500 lines only where the first comment says why ("... lines because ...")."""
    wrong = [
        f"{name} has {lines(name)} lines"
        for name in repository.sources(*CODE)
        if lines(name) > MAX_LINES and "lines because" not in "".join(repository.text(name).splitlines(True)[:20])
    ]
    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    assert statistics.median(lines(n) for n in repository.sources(".cc", ".h")) < 150


@pytest.mark.parametrize("parent", ["common", "services"])
def test_every_folder_has_a_short_readme(parent):
    code = repository.sources(".cc", ".h", under=[f"{parent}/"])
    folders = {"/".join(name.split("/")[:2]) for name in code if name.count("/") > 1}
    assert folders
    readmes = {folder: repository.ROOT / folder / "README.md" for folder in sorted(folders)}
    wrong = [f"{folder} has none" for folder, readme in readmes.items() if not readme.is_file()]
    wrong += [
        f"{folder}: {count} lines"
        for folder, readme in readmes.items()
        if readme.is_file() and (count := len(readme.read_text().splitlines())) >= 40
    ]
    assert not wrong, "\n".join(wrong)


def test_every_source_says_what_it_is():
    """In its first comment; a .cc beside its header and a test of a named unit are told by those."""
    starts = {".cc": "//", ".h": "//", ".proto": "//", ".sh": "#!"}
    wrong = [
        name
        for name in repository.sources(*starts)
        if not repository.text(name).startswith(starts["." + name.rsplit(".", 1)[1]])
        and not name.endswith("_test.cc")
        and not (name.endswith(".cc") and (repository.ROOT / name).with_suffix(".h").is_file())
    ]
    wrong += [n for n in repository.sources(".py") if not ast.get_docstring(ast.parse(repository.text(n)))]
    assert not wrong, "\n".join(wrong)


def test_links_of_documents_lead_somewhere():
    wrong = []
    for name in repository.sources(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", repository.text(name)):
            if "://" not in target and not (repository.ROOT / name).parent.joinpath(target).exists():
                wrong.append(f"{name} links to {target}")
    assert not wrong, "\n".join(wrong)


def test_nothing_names_a_place_on_somebodys_machine():
    private = re.compile("|".join(f"(?<![\\w.])/{top}/" for top in ("home", "work", "root", "Users")))
    wrong = []
    for name in repository.sources(*CODE, ".md", ".json", ".yaml", ".ini", ".txt", ".svg", ".ci/run"):
        for number, line in enumerate(repository.text(name).splitlines(), 1):
            if private.search(line):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_for_later():
    later = re.compile(r"\b(TO" r"DO|FIX" r"ME|DISABLED" r"_\w)")
    wrong = []
    for name in repository.sources(*CODE):
        for number, line in enumerate(repository.text(name).splitlines(), 1):
            if later.search(line):
                wrong.append(f"{name}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("script", SHELL)
def test_shell_scripts_parse(script):
    done = subprocess.run(["bash", "-n", script], cwd=repository.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", repository.sources(".json"))
def test_json_parses(name):
    if "/corpus/" not in name:  # a fuzz corpus is broken on purpose
        json.loads(repository.text(name))


def test_test_requirements_are_pinned():
    for name in ("tests/requirements.txt", "tests/requirements-nodeps.txt"):
        for line in repository.text(name).splitlines():
            assert not line or line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.+]+", line), f"{name}: {line}"
