"""code_of.py: which files a rule's script depends on, and which edits of them mean something."""

from pathlib import Path

import pytest

from pipeline.graph import code_of
from pipeline.publishing.code_digests import list_code

MODULE = '''"""What it does."""
# why
from json_lines import read_json_lines


class Reader:
    """Reads."""

    def first(self, path):
        """Return the first row."""
        return read_json_lines(path)[0]
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Path:
    """Return a small project that code_of() looks at."""
    for folder in ("scripts/pages", "plugins/fast"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(code_of, "ROOT", tmp_path)
    monkeypatch.setattr(code_of, "IMPORT_ROOTS", (tmp_path / "scripts",))
    return tmp_path


def write(project: Path, **files: str) -> None:
    """Write files of scripts/, by name without ending."""
    for name, text in files.items():
        (project / "scripts" / f"{name}.py").write_text(text, encoding="utf-8")


def meaning(project: Path, text: str) -> str:
    """Return the digest of a module with this text."""
    write(project, module=text)
    return code_of.meaning_of("scripts/module.py")


def test_a_script_depends_on_what_its_modules_import_even_within_a_function(project):
    write(project, rule="import first", first="def f():\n    from second import g", second="g = 1", other="h = 1")
    assert code_of.files_of("rule") == ["scripts/first.py", "scripts/rule.py", "scripts/second.py"]


def test_a_module_depends_on_the_files_and_folders_beside_it_that_it_names(project):
    write(project, rule="TEMPLATE, PROMPT = 'pages', 'prompt.txt'")
    (project / "scripts" / "pages" / "__pycache__").mkdir()
    for name in ("pages/page.html", "pages/__pycache__/page.pyc", "prompt.txt", "unnamed.txt"):
        (project / "scripts" / name).write_text("text", encoding="utf-8")
    assert code_of.files_of("rule") == ["scripts/pages/page.html", "scripts/prompt.txt", "scripts/rule.py"]


def test_a_module_that_is_no_plugin_does_not_find_the_modules_of_its_own_folder(project):
    write(project, rule="import pages.page", **{"pages/page": "import json", "pages/json": ""})
    assert code_of.files_of("rule") == ["scripts/pages/page.py", "scripts/rule.py"]


def test_a_training_depends_on_its_plugins_and_on_what_they_import(project):
    write(project, rule="", shared="")
    (project / "plugins" / "fast" / "lever.py").write_text("import layout, shared", encoding="utf-8")
    (project / "plugins" / "fast" / "layout.py").write_text("", encoding="utf-8")
    files = ["plugins/fast/layout.py", "plugins/fast/lever.py", "scripts/rule.py", "scripts/shared.py"]
    assert code_of.files_of("rule", ["plugins/fast/lever.py"]) == files


def test_a_users_file_is_there_with_what_it_imports(project):
    write(project, words="")
    (project / "mine.py").write_text("import words", encoding="utf-8")
    assert code_of.with_used(["mine.py"]) == ["mine.py", "scripts/words.py"]


@pytest.mark.parametrize("text", [None, "import"], ids=["missing", "not Python"])
def test_of_a_users_file_that_cannot_be_read_nothing_more_is_known(project, text):
    if text:
        (project / "mine.py").write_text(text, encoding="utf-8")
    assert code_of.with_used(["mine.py"]) == ["mine.py"]


def test_of_a_users_file_outside_the_project_nothing_more_is_known(project, tmp_path_factory):
    mine = tmp_path_factory.mktemp("elsewhere") / "mine.py"
    mine.write_text("import words; NAME = 'mine.txt'", encoding="utf-8")
    assert code_of.with_used([str(mine)]) == [str(mine)]


@pytest.mark.parametrize(
    "edited",
    [
        MODULE + "# more\n",
        MODULE.replace("# why\n", "\n\n"),
        MODULE.replace('"""Reads."""', '"""Reads rows."""'),
        MODULE.replace('"""Return the first row."""', '"""Give the first row."""'),
        MODULE.replace("read_json_lines(path)[0]", "(read_json_lines(\n            path,\n        )[0])"),
    ],
    ids=["comment", "blank lines", "docstring of a class", "docstring of a method", "layout"],
)
def test_an_edit_that_means_nothing_keeps_the_digest(project, edited):
    assert edited != MODULE
    assert meaning(project, edited) == meaning(project, MODULE)


@pytest.mark.parametrize(
    "edited",
    [
        MODULE.replace("[0]", "[1]"),
        MODULE.replace("[0]", "[False]"),
        MODULE.replace("first(", "last("),
        MODULE.replace("import read_json_lines", "import read_json_lines as read_json_lines, other"),
        MODULE + "\nReader.first = None\n",
    ],
    ids=["number", "a value of another type", "name", "import", "statement"],
)
def test_an_edit_that_can_change_a_result_changes_the_digest(project, edited):
    assert edited != MODULE
    assert meaning(project, edited) != meaning(project, MODULE)


def test_a_string_that_is_no_docstring_means_something(project):
    assert meaning(project, "x = 'a'") != meaning(project, "x = 'b'")


def test_a_digest_is_the_same_under_every_version_of_python(project):
    # ast.dump() and ast.unparse() would not be: fields come and go from one version to the next.
    assert meaning(project, MODULE) == "c1e90f7b7e54"


@pytest.mark.parametrize("file", [file for file in list_code() if file.endswith(".py")])
def test_of_every_module_a_statement_means_something_and_a_comment_does_not(file):
    source = (code_of.ROOT / file).read_bytes()
    assert code_of.digest_of_module(source + b"\n# edited\n") == code_of.digest_of_module(source)
    assert code_of.digest_of_module(source + b"\nedited = 1\n") != code_of.digest_of_module(source)
