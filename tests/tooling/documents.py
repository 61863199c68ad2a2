"""What documents tell people to type: the commands of every .md file, one by one, as lists of words."""

import re
import shlex

import repository

INDENTED = re.compile(r"^(?: {4}|\t)(.*)$")
ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "2>", "<", "#", "--"}  # where a command's own words end
PROGRAM = re.compile(r"^(?:\w+=)?(?:\$\()?(?:build/bin/)?(ip2p(?:_\w+)?)$")


def blocks(text):
    """(line number, line) of fenced and indented code, continued lines as one."""
    fenced, number, waiting = False, 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        code = line if fenced else (found[1] if (found := INDENTED.match(line)) else None)
        if code is None:
            waiting = ""
        elif code.endswith("\\"):
            waiting += code[:-1].strip() + " "
        else:
            yield number, waiting + code.strip()
            waiting = ""


def spans(text):
    """(line number, text) of `code` in sentences, which may go on in the next line."""
    prose = re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.MULTILINE | re.DOTALL)
    for found in re.finditer(r"`([^`]+)`", prose):
        if "\n\n" not in found[1]:
            yield prose.count("\n", 0, found.start()) + 1, re.sub(r"\s*\n\s*", " ", found[1])


def words(code):
    """Shell words; what quotes hold is one. Text that is no shell at all gives what can be made of it."""
    try:
        return shlex.split(code.replace("; ", " ; "))
    except ValueError:
        return code.split()


def commands(name):
    """(line number, [word, ...]) of each command in a document; pipes, redirections and comments end one."""
    text = repository.text(name)
    for number, code in [*blocks(text), *spans(text)]:
        for part in re.split(r" {3,}", code):  # several stand side by side in tables of commands
            command = []
            for word in words(part):
                if word in ENDS or word.startswith(("#", ">", "2>")):
                    if command:
                        yield number, command
                    command = []
                elif command or not re.match(r"^[A-Z_0-9]+=", word):  # variables stand before it
                    command.append(word)
            if command:
                yield number, command


def of_ip2p(name):
    """(line number, program, its words) of each call of one of our programs."""
    for number, command in commands(name):
        for place, word in enumerate(command):
            if (found := PROGRAM.match(word)) and command[place - 1:place] != ["-n"]:  # a namespace
                yield number, found[1], command[place + 1:]  # fmt: skip
                break


def flags(command):
    """Names of flags; values after "=", brackets and commas aside."""
    found = []
    for word in command:
        if match := re.match(r"^\[?(--?[A-Za-z][\w-]*)", word):
            found.append(match[1])
    return found
