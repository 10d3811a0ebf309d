"""The house rules no off-the-shelf linter knows, one small function each.

A rule gets a file and yields what it finds wrong. Its name is in the message; a line that has to break a rule says so
with the reason: `# allowed: <rule>: <reason>`. Printing and missing `__init__.py` files are ruff's (T201, INP001).

    python scripts/own_rules.py [folder]
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
import re
import subprocess
import sys

LONG_FILE = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}
CORE_WRITES = {"delete", "insert", "text", "update"}
BELOW_THE_EDGE = {"service", "repository", "models", "schemas", "permissions", "errors", "settings"}
FOREIGN_PLACES = re.compile(
    r"""
    \b(?:pypi\.org | pythonhosted\.org | npmjs\.(?:org|com) | yarnpkg\.com | crates\.io | ghcr\.io)\b
    | \bproxy\.golang\.org\b
    | (?<![\w.$}/-])/(?:work|tmp|root|home/[a-z]+)/\w[\w.-]*
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class SourceFile:
    """A file of the repository; `path` is relative to its root."""

    path: PurePosixPath
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines, the first at index 0."""
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every syntax node; none when the file is not Python."""
        return list(ast.walk(ast.parse(self.text, str(self.path)))) if self.path.suffix == ".py" else []

    @property
    def is_product(self) -> bool:
        """Whether it is part of what is installed."""
        return self.path.parts[0] in {"gateway", "modules"}

    @property
    def layer(self) -> str | None:
        """`service` for modules/<feature>/service.py and all of modules/<feature>/service/; None outside features."""
        parts = self.path.with_suffix("").parts
        return parts[2] if len(parts) > 2 and parts[0] == "modules" and parts[1] != "shared" else None


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where (line 0: the whole file), and which rule says so."""

    rule: str
    path: PurePosixPath
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


Place = tuple[int, str]  # line and message
Rule = Callable[[SourceFile], Iterator[Place]]


def vague_name(file: SourceFile) -> Iterator[Place]:
    """A module is named after what it is about."""
    vague = VAGUE_NAMES.intersection(PurePosixPath(part).stem for part in file.path.parts)
    if file.path.suffix == ".py" and vague:
        yield 0, f"{vague.pop()!r} says nothing; name the module after its noun"


def http_exception(file: SourceFile) -> Iterator[Place]:
    """HTTP is decided in gateway/http; everybody else raises domain errors."""
    if file.is_product and not file.path.is_relative_to("gateway/http"):
        for line in _mentions(file, {"HTTPException"}):
            yield line, "raise a domain error; only gateway/http decides HTTP"


def base_http_middleware(file: SourceFile) -> Iterator[Place]:
    """Our middleware is plain ASGI: Starlette's base class costs a task per request and breaks context variables."""
    for line in _mentions(file, {"BaseHTTPMiddleware"}):
        yield line, "write plain ASGI middleware"


def commit(file: SourceFile) -> Iterator[Place]:
    """One request is one transaction: the edge commits it."""
    if file.layer in BELOW_THE_EDGE:
        for node in file.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
                yield node.lineno, "nothing below the edge commits"


def statement_in_service(file: SourceFile) -> Iterator[Place]:
    """Core statements pass by the automatic tenant criteria, so they stand in repositories, which take the context."""
    if file.layer == "service":
        for line, name in _sqlalchemy_names(file):
            if name in CORE_WRITES:
                yield line, f"{name}() belongs in the feature's repository"


def private_tables(file: SourceFile) -> Iterator[Place]:
    """Other features ask a feature's service; its models and repository are its own. Only wiring makes repositories."""
    private = {"models"} if file.path == PurePosixPath("gateway/wiring.py") else {"models", "repository"}
    for line, module in sorted(set(_imported_modules(file))) if file.is_product else ():
        match module.split("."):
            case ["modules", feature, layer, *_] if layer in private and feature != "shared":
                if not file.path.is_relative_to(f"modules/{feature}"):
                    yield line, f"modules.{feature}.{layer} is private to its feature; ask the service"


def environment(file: SourceFile) -> Iterator[Place]:
    """Settings are read once, by settings modules; an entry point hands them the environment as a whole."""
    if file.is_product and "settings" not in file.path.with_suffix("").parts:
        handed_over = {
            node.value.lineno for node in file.nodes if isinstance(node, ast.keyword) and node.arg == "environment"
        }
        for line in _mentions(file, {"environ", "environb", "getenv"}):
            if line not in handed_over:
                yield line, "the environment is read by settings modules only"


def foreign_place(file: SourceFile) -> Iterator[Place]:
    """The repository names no package registry and no place of the machine it was written on."""
    for number, line in enumerate(file.lines, 1):
        for place in FOREIGN_PLACES.findall(line):
            yield number, f"{place} means something on one machine or network only"


def long_file(file: SourceFile) -> Iterator[Place]:
    """A file that speaks of two nouns becomes two files. A warning: some tables are long."""
    if file.path.suffix == ".py" and len(file.lines) > LONG_FILE:
        yield 0, f"{len(file.lines)} lines; does it speak of two nouns?"


RULES: tuple[Rule, ...] = (
    vague_name,
    http_exception,
    base_http_middleware,
    commit,
    statement_in_service,
    private_tables,
    environment,
    foreign_place,
)
WARNINGS: tuple[Rule, ...] = (long_file,)


def check(file: SourceFile, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    """What `rules` find in `file`, without the lines that are allowed to be so."""
    return [
        Finding(rule.__name__, file.path, line, message)
        for rule in rules
        for line, message in rule(file)
        if not _is_allowed(file, line, rule.__name__)
    ]


def main(root: Path) -> int:
    """Check all files git knows or would add below `root`; print the findings. 1 if a rule is broken."""
    files = list(_files(root))
    for finding in (finding for file in files for finding in check(file, WARNINGS)):
        print(f"warning: {finding}")
    findings = [finding for file in files for finding in check(file)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def _files(root: Path) -> Iterator[SourceFile]:
    listing = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    for path in sorted({root / name for name in names if name}):
        try:
            yield SourceFile(PurePosixPath(path.relative_to(root).as_posix()), path.read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError):
            continue  # deleted but not yet committed, or a picture


def _is_allowed(file: SourceFile, line: int, rule: str) -> bool:
    return line > 0 and re.search(rf"# allowed: {rule}: \w", file.lines[line - 1]) is not None


def _mentions(file: SourceFile, names: set[str]) -> Iterator[int]:
    """The lines that use or import one of `names`, whatever it was imported from."""
    for node in file.nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if name in names:
                yield node.lineno


def _imported_modules(file: SourceFile) -> Iterator[Place]:
    """Every module an import may name: `from a import b` gives `a.b`."""
    for node in file.nodes:
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)
            case ast.Import(names=names):
                yield from ((alias.lineno, alias.name) for alias in names)


def _sqlalchemy_names(file: SourceFile) -> Iterator[Place]:
    """What is imported from SQLAlchemy or reached through the module, like `sqlalchemy.text`."""
    for node in file.nodes:
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "sqlalchemy":
                yield from ((alias.lineno, alias.name) for alias in names)
            case ast.Attribute(value=ast.Name(id="sqlalchemy" | "sa"), attr=name):
                yield node.lineno, name


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
