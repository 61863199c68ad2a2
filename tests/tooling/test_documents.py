"""Documents tell of what is there: commands, flags, variables, scripts, test files, the operator's guide and its alerts."""

import functools
import json
import re
import subprocess

import documents
import kustomize
import pytest
import repository
import yaml
from conftest import BIN

DOCUMENTS = repository.sources(".md")
GUIDE = "deploy/OPERATING.md"
RULES = sorted((repository.ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
PROGRAMS = {"ip2p", "ip2p_edit_server", "ip2p_gateway", "ip2p_pair_generator", "ip2p_prompt_generator",
            "ip2p_training_coordinator", "ip2p_training_worker"}  # fmt: skip


@functools.cache
def help_of(program, *verbs):
    """What `program verb --help` says; nothing where there is no such verb."""
    done = subprocess.run([BIN / program, *verbs, "--help"], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else ""


def has_flag(text, flag):
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) is not None


def verbs_of(command):
    """The nouns and verbs that a command begins with; "pause|resume" stands for two of them."""
    chosen = []
    for word in command:
        if not re.fullmatch(r"[a-z]+(\|[a-z]+)*", word) or len(chosen) == 3:
            break
        longer = [(*verbs, verb) for verbs in chosen or [()] for verb in word.split("|")]
        if not all(known(verbs) for verbs in longer):
            break
        chosen = longer
    return chosen or [()]


@functools.cache
def known(verbs):
    """Whether ip2p has them: an unknown word after a verb is no verb but its argument."""
    listed = help_of("ip2p", *verbs[:-1])
    section = listed.partition("ubcommands:")[2]
    return bool(re.search(rf"^ +{re.escape(verbs[-1])}(?=\s)", section, re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_have_the_verbs_and_flags_that_are_written(name):
    wrong = []
    for line, program, command in documents.of_ip2p(name):
        if program not in PROGRAMS:
            continue
        for verbs in verbs_of(command) if program == "ip2p" else [()]:
            noun = program == "ip2p" and verbs and "ubcommands:" in help_of("ip2p", *verbs)
            rest = [w for w in command[len(verbs):] if re.fullmatch(r"[a-z]+", w)]  # fmt: skip
            if noun and rest and command[len(verbs)] == rest[0]:
                wrong.append(f"{name}:{line}: ip2p {' '.join(verbs)} has no {rest[0]}")
            text = help_of(program, *verbs)
            wrong += [f"{name}:{line}: {program} {' '.join(verbs)} has no {flag}"
                      for flag in documents.flags(command) if flag not in ("-h", "--help") and not has_flag(text, flag)]  # fmt: skip
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_scripts_tests_and_presets_exist(name):
    presets = json.loads(repository.text("CMakePresets.json"))
    known_presets = {p["name"] for kind in ("configurePresets", "buildPresets", "testPresets") for p in presets[kind]}
    suites = "".join(repository.text(file) for file in repository.sources("CMakeLists.txt"))
    wrong = []
    for line, command in documents.commands(name):
        program, rest = command[0].rsplit("/", 1)[-1], command[1:]
        if program in ("bash", "python", "python3") and rest and rest[0].endswith((".sh", ".py")):
            if not (repository.ROOT / rest[0]).is_file():
                wrong.append(f"{name}:{line}: there is no {rest[0]}")
            elif rest[0].endswith(".sh"):
                shown = subprocess.run(["bash", rest[0], "--help"], cwd=repository.ROOT, capture_output=True, text=True,
                                       timeout=60).stdout if "--help" in repository.text(rest[0]) else ""  # fmt: skip
                shown = shown or repository.text(rest[0])
                wrong += [f"{name}:{line}: {rest[0]} has no {flag}" for flag in documents.flags(rest)
                          if flag != "--help" and not has_flag(shown, flag)]  # fmt: skip
        if program == "pytest":
            for path in (word for word in rest if word.startswith("tests/")):
                if not list(repository.ROOT.glob(path)):
                    wrong.append(f"{name}:{line}: there is no {path}")
        if program == "ctest" and "-R" in rest[:-1] and not re.search(rest[rest.index("-R") + 1], suites):
            wrong.append(f"{name}:{line}: there is no test {rest[rest.index('-R') + 1]}")
        if program in ("cmake", "ctest") and "--preset" in rest[:-1]:
            preset = rest[rest.index("--preset") + 1]
            if preset not in known_presets and preset.isalnum():
                wrong.append(f"{name}:{line}: there is no preset {preset}")
        if program == "kubectl" and "-k" in rest[:-1] and not (repository.ROOT / rest[rest.index("-k") + 1]).is_dir():
            wrong.append(f"{name}:{line}: there is no {rest[rest.index('-k') + 1]}")
    assert not wrong, "\n".join(wrong)


def test_services_of_compose_exist():
    services = set(yaml.safe_load(repository.text("deploy/compose.yaml"))["services"])
    wrong = []
    for name in DOCUMENTS:
        for line, command in documents.commands(name):
            if command[:2] == ["docker", "compose"] and command[2] == "-f":
                verb, *rest = command[4:]
                named = [w.split(":")[0] for w in rest if not w.startswith("-")]
                if verb in ("up", "stop", "restart", "logs"):
                    wrong += [f"{name}:{line}: compose has no {service}" for service in named if service not in services]
                if verb in ("exec", "run") and named and named[0] not in services:
                    wrong.append(f"{name}:{line}: compose has no {named[0]}")
    assert not wrong, "\n".join(wrong)


def test_objects_of_kubernetes_exist():
    there = {(document["kind"].lower(), document["metadata"]["name"])
             for folder in ("prod", "prod/pair-job") for document in kustomize.render(kustomize.K8S / "overlays" / folder)}  # fmt: skip
    wrong = []
    for name in DOCUMENTS:
        for line, command in documents.commands(name):
            if command[0] == "kubectl":
                named = [tuple(word.split("/")) for word in command if re.fullmatch(r"(deployment|statefulset|job)/[a-z-]+", word)]
                named += [tuple(pair) for pair in zip(command, command[1:], strict=False) if pair[0] in ("job", "deployment")]
                wrong += [f"{name}:{line}: there is no {'/'.join(pair)}" for pair in named if pair not in there]
    assert not wrong, "\n".join(wrong)


def test_variables_are_read_by_something():
    code = "".join(repository.text(n) for n in repository.sources(".cc", ".h", ".py", ".sh", ".mjs", ".js", ".yaml", ".yml"))
    settings = {f"IP2P_{name.upper()}" for name in re.findall(r'Add\(\s*"(\w+)"', code)}
    settings |= {f"IP2P_{name.upper().replace('-', '_')}" for name in re.findall(r'"(?:-\w,)?--([\w-]+)', code)}
    wrong = []
    for name in DOCUMENTS:
        for variable in set(re.findall(r"\bIP2P_[A-Z][A-Z_]*", repository.text(name))):
            if variable not in settings and not re.search(rf"\b{variable}\b", code):
                wrong.append(f"{name}: nothing reads {variable}")
    assert not wrong, "\n".join(wrong)


# The operator's guide.


def anchors(name):
    """Where links into a document can lead, and the text below each heading."""
    parts = re.split(r"^#+ +(.+)$", repository.text(name), flags=re.MULTILINE)
    titles, texts = parts[1::2], parts[2::2]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): text for title, text in zip(titles, texts, strict=True)}


def alerts():
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)


def test_links_to_headings_lead_to_one():
    wrong = []
    for name in DOCUMENTS:
        for path, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", repository.text(name)):
            if "://" not in path:
                target = (repository.ROOT / name).parent / path if path else repository.ROOT / name
                if anchor not in anchors(str(target.resolve().relative_to(repository.ROOT.resolve()))):
                    wrong.append(f"{name} links to {path}#{anchor}")
    assert not wrong, "\n".join(wrong)


def test_every_alert_leads_to_its_paragraph():
    sections = anchors(GUIDE)
    for alert in alerts():
        file, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert file == GUIDE and anchor in sections, alert["alert"]
        assert f"`{alert['alert']}`" in sections[anchor], f"{alert['alert']} is not named in #{anchor}"


def test_the_guide_names_no_other_alerts():
    named = set(re.findall(r"\bIp2p\w+", repository.text(GUIDE)))
    assert named == {alert["alert"] for alert in alerts()}


def test_what_alerts_say_to_do_can_be_done():
    settings = "".join(help_of(program) for program in sorted(PROGRAMS))
    verbs = [(noun, verb) for noun in ("train", "prompts", "pairs", "dataset", "server")
             for verb in re.findall(r"^  (\w+) ", help_of("ip2p", noun), re.MULTILINE)]  # fmt: skip
    settings += "".join(help_of("ip2p", *verb) for verb in verbs)
    for alert in alerts():
        for flag in re.findall(r"(?<![\w-])--[a-z-]+", alert["annotations"]["action"]):
            assert has_flag(settings, flag), (alert["alert"], flag)
        for noun, verb in re.findall(r"ip2p ([a-z]+) ([a-z]+)", alert["annotations"]["action"]):
            assert known((noun, verb)), alert["alert"]


def test_the_plan_in_the_guide_is_the_programs():
    plans = re.findall(r"^```console\n\$ ip2p (plan.*)\n((?:(?!```).*\n)+)```", repository.text(GUIDE), re.MULTILINE)
    assert plans
    for command, shown in plans:
        done = subprocess.run([BIN / "ip2p", *command.split()], capture_output=True, text=True, timeout=60)
        assert done.stdout == shown, command
