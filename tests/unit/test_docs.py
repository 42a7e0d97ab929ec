"""What README.md and the pages in docs/ say is true, and every link in them leads somewhere."""

import ast
import csv
import json
import re
import subprocess

import pytest
import yaml
from flask import Flask

from api import changes, events, trigger
from api.marts import responses, sending
from dashboard import server
from dashboard.app import create_app
from elute import inputs
from elute.cli import parse
from elute.inputs import columns
from elute.runs.run import STATES
from elute.settings import CHECKOUT, VARIABLES, Settings
from tests.rules.model import PROBLEMS, USER_SUMMARY_COLUMNS

FOR_PEOPLE = {
    *(
        "assets",
        "compare",
        "users",
        "quality",
        "tables",
        "history",
        "files",
        "sign-in",
        "sign-out",
        "",
    )
}
PAGES = {
    path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "packages/*/README.md")
    for path in sorted(CHECKOUT.glob(pattern))
}
README, RULES, API = (PAGES[name] for name in ("README.md", "docs/rules.md", "docs/api.md"))
OPERATIONS, ARCHITECTURE = PAGES["docs/operations.md"], PAGES["docs/architecture.md"]
GOLDEN = CHECKOUT / "tests" / "integration" / "golden" / "user_summary.csv"
FENCED = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^ *```$")
FOLDERS = "api|benchmarks|dashboard|dbt_project|docs|elute|packages|scripts|seeds|tests"
of_each_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(Settings.from_environment())


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language; those without one are for a shell, or pictures."""
    return [code for _, word, code in FENCED.findall(PAGES[page]) if word == language]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)$", FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def routes(app: Flask) -> set[str]:
    """The routes that are for programs, with … for what varies."""
    rules = {re.sub(r"<.*?>", "…", rule.rule) for rule in app.url_map.iter_rules()}
    served = {rule for rule in rules if rule.split("/")[1] not in FOR_PEOPLE}
    # The pages name the files and the forms that there are.
    served = {rule.replace("/inputs/…", "/inputs/….csv").replace("….…", "….csv") for rule in served}
    return served - {"/docs", "/compounds/…"}  # The page, beside what explains it.


def told_routes(text: str) -> set[str]:
    told = set(re.findall(r"`(?:GET|POST|PUT|DELETE) (/[^`? ]*)", text))
    return {re.sub(r"\{\w+\}|\b7\b|[a-z_]+(?=\.csv)", "…", path) for path in told}


@of_each_page
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", PAGES[page])):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@of_each_page
def test_every_file_that_is_named_is_there(page: str) -> None:
    for name in re.findall(rf"`((?:{FOLDERS})/[^`\s…]*)`", PAGES[page]):
        roots = (CHECKOUT, (CHECKOUT / page).parent)
        assert any(list(root.glob(name.rstrip("/"))) for root in roots), name


@of_each_page
def test_every_route_that_is_named_is_served(page: str, app: Flask) -> None:
    assert told_routes(PAGES[page]) <= routes(app)
    for path in re.findall(r"(?:localhost|127\.0\.0\.1):5000(/[^\s?'\"`]*)", PAGES[page]):
        assert app.url_map.bind("localhost").allowed_methods(path.rstrip(".,;)")), path


@of_each_page
def test_code_can_be_read(page: str) -> None:
    for code in blocks(page, "python"):
        ast.parse(code)
    for code in blocks(page, "yaml"):
        yaml.safe_load(code)
    for code in blocks(page, ""):
        if not re.search(r"(?m)^\||│", code) and "  models/{" not in code:
            subprocess.run(["bash", "-n"], input=code, text=True, check=True)


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", README))
    assert set(PAGES) - {"README.md"} <= linked
    pictures = set(re.findall(r"\]\(screenshots/([^)]+)\)", PAGES["docs/dashboard.md"]))
    there = {path.name for path in (CHECKOUT / "docs" / "screenshots").iterdir()}
    assert pictures == there


def test_the_sample_in_the_readme_is_what_a_build_of_it_gives() -> None:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    [answer] = [json.loads(code) for code in blocks("README.md", "json") if "…" not in code]
    assert tuple(answer) == tuple(header) == USER_SUMMARY_COLUMNS
    assert [str(value) for value in answer.values()] == rows[0]
    [printed] = [code for code in blocks("README.md", "") if code.startswith("| user_id")]
    lines = printed.partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == header
    assert cells[2:] == rows[: len(cells) - 2]


@pytest.mark.parametrize("page", ["README.md", "docs/rules.md"])
def test_the_columns_of_the_files_are_told(page: str) -> None:
    told = dict(re.findall(r"(?m)^\| `(\w+\.csv)` \| ([^|]*) \|", PAGES[page]))
    assert {name: tuple(re.findall(r"`([a-z_]+)`", row)) for name, row in told.items()} == columns()


def test_the_columns_of_user_summary_are_told_in_order() -> None:
    [row] = re.findall(r"(?m)^\| `user_summary` \|.*$", RULES)
    assert tuple(re.findall(r"`(\w+)`", row)[1:]) == USER_SUMMARY_COLUMNS


def test_every_mart_is_told() -> None:
    told = set(re.findall(r"(?m)^\| `([a-z_]+)` \|", RULES.partition("## What comes out")[2]))
    marts = (CHECKOUT / "dbt_project" / "models" / "marts").glob("*.sql")
    assert told == {path.stem for path in marts}


def test_every_problem_is_told() -> None:
    table = re.findall(r"(?m)^\| `([a-z]+ [a-z ]+)` \| (`.*`) \|$", RULES)
    told = {action: set(re.findall(r"`(.*?)`", problems)) for action, problems in table}
    assert told == {action: set(problems) for action, problems in PROBLEMS.items()}


def test_every_setting_is_told() -> None:
    table = dict(re.findall(r"(?m)^\| `((?:PG|ELUTE_|SPARK_)\w+)` \|(.*?)\|", OPERATIONS))
    assert set(table) == {variable.name for variable in VARIABLES}
    for variable in VARIABLES:
        # PGUSER's default is described, not named.
        assert variable.name == "PGUSER" or table[variable.name].strip(" `") == variable.default


@of_each_page
def test_every_setting_that_is_named_is_one(page: str) -> None:
    text = re.sub(r"(?ms)^```diff\n.*?^```$", "", PAGES[page])  # A recipe adds one.
    named = set(re.findall(r"\bELUTE_[A-Z_]+\b", text))
    assert named <= {variable.name for variable in VARIABLES} | {"ELUTE_UID"}  # of the Dockerfile


def test_every_command_is_told() -> None:
    rows = re.findall(r"(?m)^\| `elute (\w+)[^`]*`", OPERATIONS)
    assert sorted(rows) == sorted(["serve", "build", "check", "worker", "db", "env"])
    for command in rows:
        parse([command, "status"] if command == "db" else [command])


def test_every_metric_is_told() -> None:
    sources = [CHECKOUT / "api" / name for name in ("metrics.py", "database_metrics.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    rows = re.findall(r"(?m)^\| (`elute_\w+`.*?) \|", OPERATIONS.partition("## Metrics")[2])
    told = {name for row in rows for name in re.findall(r"`(elute_\w+)`", row)}
    assert told == set(re.findall(r'"(elute_\w+)"', code))


def test_every_route_is_told_and_no_other(app: Flask) -> None:
    assert told_routes(API) == routes(app)


def test_every_answer_of_the_trigger_is_told() -> None:
    text = (CHECKOUT / "api" / "openapi" / "fixed.yaml").read_text(encoding="utf-8")
    described = yaml.safe_load(text)["paths"]["/trigger-etl"]["post"]["responses"]
    assert re.findall(r"(?m)^\| (\d{3}) \|", API) == sorted(described)


def test_every_state_of_a_run_is_told() -> None:
    [sentence] = re.findall(r"(?s)A run is `queued`.*?\.\s", API)
    assert tuple(re.findall(r"`([a-z]+)`", sentence)) == STATES


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("docs/api.md", f"At most {sending.MOST_STREAMS} large answers"),
        ("docs/api.md", f"up to {responses.LARGEST_WHOLE // 1024} KiB"),
        ("docs/api.md", f"a `limit` of up to {responses.MOST_ROWS_WHOLE}"),
        ("docs/api.md", f"At most {changes.MOST_AT_ONCE} comparisons"),
        ("docs/api.md", f"{events.MOST_STREAMS} clients can follow at a time"),
        ("docs/api.md", f"`wait` is at most {trigger.LONGEST_WAIT} seconds"),
        ("docs/api.md", f"waits for the end, {trigger.USUAL_WAIT} seconds at most"),
        ("docs/api.md", f"the newest {inputs.KEPT} of each"),
        ("docs/operations.md", f"After {server.SILENT_SECONDS} seconds of silence"),
    ],
)
def test_the_numbers_are_those_of_the_program(page: str, said: str) -> None:
    assert said in " ".join(PAGES[page].split())


def test_the_layout_names_what_is_there() -> None:
    [tree] = re.findall(r"(?s)## Layout\n\n```\n(.*?)```", ARCHITECTURE)
    for line in tree.splitlines():
        for name in line[:30].split():
            assert (CHECKOUT / name).exists(), name
    packages = {path.parent.name for path in CHECKOUT.glob("packages/*/pyproject.toml")}
    assert packages <= set(re.findall(r"(?m)^packages/([\w-]+)/", tree))


def test_the_versions_are_those_that_are_tested() -> None:
    script = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
    newest_first = re.findall(
        r"\d\.\d+", re.findall(r"newest=\$\(python_command (.*)\)", script)[0]
    )
    [oldest] = re.findall(r"oldest=\$\(python_command (.*)\)", script)
    assert f"Python {oldest} to {newest_first[0]}, PostgreSQL 15 or later" in OPERATIONS
    row = re.findall(r"(?m)^\| (newest|oldest) \|.*\| ([\d.]+), as .*?\|", OPERATIONS)
    for (corner, version), lock in zip(
        row, ("requirements.txt", "requirements-oldest.txt"), strict=True
    ):
        locked = (CHECKOUT / lock).read_text(encoding="utf-8")
        assert re.search(rf"(?m)^dbt-core=={re.escape(version)}\.", locked), corner


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-oldest.txt"])
def test_every_dependency_is_locked(lock: str) -> None:
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.findall(
        r'"([\w-]+)', project.partition("\ndependencies = [")[2].partition("\n]")[0]
    )
    locked = re.findall(r"(?m)^([\w-]+)==", (CHECKOUT / lock).read_text(encoding="utf-8"))
    assert "flask" in wanted
    assert set(wanted) <= set(locked)
