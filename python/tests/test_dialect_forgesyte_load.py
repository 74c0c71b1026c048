"""Plugins of the forgesyte contract on their way to `ready`: entry points, manifests, needs, failures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from driver import Worker
from foreign import environment, find, folder

GOOD = (
    "class Plugin:\n  name = 'made'\n"
    "  tools = {'detect': {'description': 'Finds.', 'inputs': {'image_bytes': {'type': 'bytes'}}},"
    " 'count': {'input_schema': {'type': 'object', 'properties': {'video_path': {'type': 'string'},"
    " 'limit': {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}}, 'required': ['video_path', 'limit']}}}\n"
    "  def run_tool(self, tool, args): return {'tool': tool}\n"
)


def package(place: Path, code: str = GOOD, manifest: Any = None, name: str = "made") -> str:
    inside = place / name
    inside.mkdir(parents=True, exist_ok=True)
    (inside / "__init__.py").write_text("print('imported', flush=True)\n")
    (inside / "plugin.py").write_text(code)
    if manifest is not None:
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        (inside / "manifest.json").write_text(text)
    return str(place)


def started(place: str, entry: str = "made.plugin:Plugin", **more: Any) -> Worker:
    return Worker(entry, place, dialect="forgesyte", **{"name": "made", **more})


def refused(place: str, entry: str = "made.plugin:Plugin", **more: Any) -> dict:
    with started(place, entry, initialize=False, **more) as worker:
        answer = worker.receive()
        assert answer["type"] == "error", answer
        assert worker.wait() == 3
        error: dict = answer["error"]
        error["imported"] = "imported" in worker.text()
        return error


# Entry points.


def dist_info(site: Path, distribution: str, points: str) -> None:
    """What an installer writes about a distribution."""
    info = site / f"{distribution.replace('-', '_')}-0.3.0.dist-info"
    info.mkdir(parents=True)
    summary = "Summary: From the packaging.\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.3.0\n{summary}")
    (info / "entry_points.txt").write_text(f"[forgesyte.plugins]\n{points}\n[console_scripts]\nmade = x:y\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with two distributions that have entry points, and nothing else: no pydantic."""
    place = tmp_path_factory.mktemp("forgesyte")
    python = environment(place / "env")
    (site,) = (place / "env" / "lib").glob("python*/site-packages")
    package(site, manifest={"name": "Made Label", "id": "made_label"})
    package(site, name="other")
    dist_info(site, "forgesyte-made", "detector = made.plugin:Plugin [extra]\nfinder = made.plugin:Plugin")
    dist_info(site, "forgesyte-other", "detector = other.plugin:Plugin\nbroken = made.nowhere:Plugin")
    return python


@pytest.mark.parametrize("entry", ["finder", "detector@forgesyte-made", "made.plugin:Plugin"])
def test_a_plugin_is_found_by_its_entry_point_or_by_its_class(installed, tmp_path, entry):
    with started(str(tmp_path), entry, python=installed) as worker:
        assert worker.ready["plugin"] == {
            "name": "made",
            "version": "0.3.0",
            "description": "From the packaging.",
        }
        assert worker.ready["facts"]["labels"]["distribution"] == "forgesyte-made"
        assert worker.ready["facts"]["labels"]["entry_point"] in ("detector", "finder")
        assert worker.call("count")["result"] == {"tool": "count"}


def test_the_plugins_of_an_environment_are_listed_without_an_import(installed):
    rows = find(installed)["plugins"]
    names = sorted(f"{row['entry_point']}@{row['distribution']}" for row in rows)
    assert names == [
        "broken@forgesyte-other", "detector@forgesyte-made", "detector@forgesyte-other", "finder@forgesyte-made",
    ]  # fmt: skip
    finder = next(row for row in rows if row["entry_point"] == "finder")
    assert finder == {
        "dialect": "forgesyte", "entry": "made.plugin:Plugin", "entry_point": "finder",
        "distribution": "forgesyte-made", "version": "0.3.0", "summary": "From the packaging.",
    }  # fmt: skip


def test_two_distributions_may_have_the_same_entry_point(installed, tmp_path):
    with started(str(tmp_path), "detector@forgesyte-other", python=installed) as worker:
        assert worker.ready["facts"]["labels"]["distribution"] == "forgesyte-other"
        assert worker.ready["facts"]["manifest"]["version"] == "0.3.0"
    error = refused(str(tmp_path), "detector", python=installed)
    assert "`detector@forgesyte-made`, `detector@forgesyte-other`" in error["message"]


def test_an_entry_point_that_is_not_there_is_named_with_those_that_are(installed, tmp_path):
    error = refused(str(tmp_path), "nowhere", python=installed)
    assert "`nowhere`" in error["message"] and "it has: broken, detector, finder" in error["message"]
    error = refused(str(tmp_path), "broken", python=installed)
    assert error["error_type"] == "ModuleNotFoundError" and "made.nowhere" in error["message"]


def test_without_pydantic_only_the_models_are_missing(installed, tmp_path):
    code = GOOD + "import app.plugins.base\nimport app.models\nassert 'AnalysisResult' not in globals()\n"
    with started(package(tmp_path, code, name="alone"), "alone.plugin:Plugin", python=installed) as worker:
        assert worker.call("detect")["type"] == "result"
    error = refused(
        package(tmp_path, "from app.models import AnalysisResult\n"), python=installed, entry="alone2:X"
    )
    assert error["error_type"] == "ModuleNotFoundError"
    (tmp_path / "needs.py").write_text("from app.models import AnalysisResult\n")
    error = refused(str(tmp_path), "needs:Plugin", python=installed)
    assert error["error_type"] == "ImportError" and "pydantic" in error["message"]
    (tmp_path / "needs.py").write_text("from app.models import Nothing\n")
    assert "Nothing" in refused(str(tmp_path), "needs:Plugin", python=installed)["message"]


def test_the_modules_of_the_old_host_win_over_any_installed_app(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise ImportError('another app')\n")
    code = "from app.plugins.base import BasePlugin\n" + GOOD.replace(
        ":", "(BasePlugin):\n  def __init__(self): pass", 1
    )
    with started(package(tmp_path, code)) as worker:
        assert worker.call("detect")["type"] == "result"


# Manifests.


def test_without_a_manifest_one_is_made_up_from_the_tools(tmp_path):
    with started(package(tmp_path)) as worker:
        facts = worker.ready["facts"]
        assert facts["manifest_error"] is None
        assert facts["manifest"] == {
            "id": "made", "name": "made", "version": "", "description": "", "type": "custom", "capabilities": [],
            "synthesised": True,
            "tools": [
                {"id": "detect", "title": "detect", "description": "Finds.", "inputs": {"image_bytes": "string"},
                 "outputs": {}, "input_types": ["image_bytes"], "output_types": [], "capabilities": []},
                {"id": "count", "title": "count", "description": "",
                 "inputs": {"video_path": "string", "limit": "integer?"},
                 "outputs": {}, "input_types": ["video"], "output_types": [], "capabilities": []},
            ],
        }  # fmt: skip


LISTED = [{"id": "detect", "input_types": ["image_bytes"], "capabilities": ["finding"]}, {"id": "extra"}]
NAMED = {"detect": {"input_types": ["image_bytes"], "capabilities": ["finding"]}, "extra": {}}


@pytest.mark.parametrize("tools", [LISTED, NAMED], ids=["listed", "named"])
def test_the_tools_decide_what_can_be_called_and_the_manifest_adds_to_them(tmp_path, tools):
    manifest = {
        "name": "Made",
        "type": " YOLO ",
        "version": "3.2.1",
        "tools": tools,
        "supported_formats": ["png"],
    }
    with started(package(tmp_path, manifest=manifest)) as worker:
        assert worker.ready["plugin"]["version"] == "3.2.1"
        facts = worker.ready["facts"]
        assert facts["manifest_error"] is None and facts["manifest_warnings"] == []
        assert (facts["manifest"]["type"], facts["manifest"]["supported_formats"]) == ("yolo", ["png"])
        assert [tool["id"] for tool in facts["manifest"]["tools"]] == ["detect", "extra"]
        assert facts["manifest"]["tools"][0]["inputs"] == ["image_bytes"]
        assert list(facts["tools"]) == ["detect", "count"]
        assert facts["tools"]["detect"]["capabilities"] == ["finding"]
        assert facts["tools"]["count"]["input_types"] == ["video"]


def test_an_unknown_type_is_a_warning(tmp_path):
    with started(package(tmp_path, manifest={"name": "Made", "type": "strange"})) as worker:
        assert worker.ready["facts"]["manifest_error"] is None
        assert "strange" in worker.ready["facts"]["manifest_warnings"][0]


BAD = [
    ("{not json", "not valid JSON"), ('{"name": NaN}', "not valid JSON"), ("[]", "must hold an object"),
    ({}, "`name` is missing"), ({"name": " "}, "`name` is missing"), ({"name": "a", "version": 3}, "`version`"),
    ({"name": "a", "capabilities": "x"}, "`capabilities`"), ({"name": "a", "tools": 3}, "`tools`"),
    ({"name": "a", "tools": [3]}, "tools[0]"), ({"name": "a", "tools": [{"id": ""}]}, "tools[0]: `id`"),
    ({"name": "a", "tools": [{"id": "x", "input_types": "y"}]}, "tools[0]: `input_types`"),
    ({"name": "a", "tools": [{"id": "x", "inputs": "y"}]}, "tools[0]: `inputs`"),
    ("[" * 100_000, "manifest.json"), ('{"name": "' + "x" * (1 << 20) + '"}', "larger than"),
]  # fmt: skip


@pytest.mark.parametrize("manifest,text", BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_bad_manifest_is_reported_and_the_plugin_runs_with_a_made_up_one(tmp_path, manifest, text):
    with started(package(tmp_path, manifest=manifest)) as worker:
        facts = worker.ready["facts"]
        assert text in facts["manifest_error"] and facts["manifest"]["synthesised"] is True
        assert worker.call("detect")["type"] == "result"


def test_a_manifest_beside_the_module_that_defines_the_class_is_found_after_the_import(tmp_path):
    package(tmp_path, manifest={"name": "Made"})
    (tmp_path / "front.py").write_text("from made.plugin import Plugin\n")
    with started(str(tmp_path), "front:Plugin") as worker:
        assert worker.ready["facts"]["manifest"]["name"] == "Made"


# What a manifest needs.


def missing(place: Path, **needs: Any) -> str:
    error = refused(package(place, manifest={"name": "Made", **needs}))
    assert error["error_type"] == "Unavailable" and not error["imported"]
    text: str = error["message"]
    return text


def test_everything_that_is_missing_is_named_at_once_and_nothing_is_imported(tmp_path):
    text = missing(
        tmp_path,
        requires_gpu=True,
        models={"finder": "models/finder.pt"},
        dependencies=["no-such-package>=2", "json"],
        env={"PATH": "/nowhere"},
    )
    path = os.path.join(str(tmp_path), "made", "models/finder.pt")
    assert text == (
        f"Missing dependencies: GPU (CUDA not available), Model file: {path}, Python package: no-such-package>=2"
    )


@pytest.mark.parametrize("script,answers", [("exit 0", True), ("exit 9", False)])
def test_a_driver_alone_is_no_gpu_as_long_as_torch_sees_none(tmp_path, script, answers):
    (tmp_path / "bin").mkdir()
    driver = tmp_path / "bin" / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{script}\n")
    driver.chmod(0o755)
    torch = tmp_path / "torchless"
    torch.mkdir()
    (torch / "torch.py").write_text(f"class cuda:\n  is_available = staticmethod(lambda: {answers})\n")
    place = package(tmp_path / "plugin", manifest={"name": "Made", "requires_gpu": True})
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert "GPU (CUDA not available)" in refused(place, env={"PATH": path})["message"]
    both = {"PATH": path, "PYTHONPATH": str(torch)}
    if answers:
        with started(place, env=both) as worker:
            assert worker.call("detect")["type"] == "result"
    else:
        assert "GPU" in refused(place, env=both)["message"]


def test_dependencies_may_be_distributions_with_versions_or_names_of_imports(tmp_path):
    site = tmp_path / "site"
    dist_info(site, "Some_Dist", "")
    (site / "cv2.py").write_text("raise SystemExit('it is never imported')\n")
    good = [
        "some-dist",
        "some.dist >=0.3,<1",
        "some-dist==0.3.*",
        "some-dist~=0.2",
        "opencv-python>=4",
        "cv2",
        "email.mime",
    ]
    place = package(tmp_path, manifest={"name": "Made", "dependencies": good})
    with started(place, env={"PYTHONPATH": str(site)}) as worker:
        assert worker.ready["facts"]["manifest_error"] is None
    for bad in (
        "some-dist>=0.4",
        "some-dist!=0.3.0",
        "some-dist==0.4.*",
        "cv3",
        "PyYAML-no",
        "???",
        "some-dist=>1",
    ):
        package(tmp_path, manifest={"name": "Made", "dependencies": [bad]})
        error = refused(place, env={"PYTHONPATH": str(site)})
        assert error["message"] == f"Missing dependencies: Python package: {bad}"


MODELS = [
    ("whole.pt", b"PK\x03\x04rest", True), ("pickle.pth", b"\x80\x02rest", True), ("other.onnx", b"x", True),
    ("empty.onnx", b"", False), ("placeholder.pt", b"This is where the weights would be" * 3, False),
    ("pointer.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", False),
]  # fmt: skip


@pytest.mark.parametrize("name,content,good", MODELS, ids=[name for name, _, _ in MODELS])
@pytest.mark.parametrize("form", ["by name", "listed", "with a path", "below models"])
def test_model_files_are_looked_at_in_every_form(tmp_path, name, content, good, form):
    place = tmp_path / "made" / "models" if form == "below models" else tmp_path / "made"
    place.mkdir(parents=True)
    (place / name).write_bytes(content)
    models: Any = [{"name": name, "type": "weights"}]
    if form == "by name":
        models = {"finder": name}
    elif form == "with a path":
        models = [{"name": "finder", "path": name}]
    if good:
        with started(package(tmp_path, manifest={"name": "Made", "models": models})) as worker:
            assert worker.call("detect")["type"] == "result"
    else:
        assert missing(tmp_path, models=models) == f"Missing dependencies: Model file: {place / name}"


def test_what_is_no_file_is_no_model_and_is_not_waited_for(tmp_path):
    (tmp_path / "made" / "folder.pt").mkdir(parents=True)
    os.mkfifo(tmp_path / "made" / "pipe.pt")
    text = missing(tmp_path, models=[{"name": "folder.pt"}, {"name": "pipe.pt"}])
    assert text.count("Model file: ") == 2


# Failures of loading.

BASE = "from app.plugins.base import BasePlugin\n"
STRICT = (
    "  def run_tool(self, a, b): ...\n  def __init__(self):\n    super().__init__()\n  def m(self): ...\n"
)
WHOLE = "'description': '', 'input_schema': {}, 'output_schema': {}"


def strict(body: str) -> str:
    return f"{BASE}class Plugin(BasePlugin):\n{body}\n{STRICT}"


FAILURES = [
    ("import nowhere\n", "ModuleNotFoundError", "nowhere"),
    ("raise SystemExit(3)\n", "SystemExit", "3"),
    ("class Plugin:\n  name = 'a'\n  def __init__(self): raise OSError('no camera')\n", "OSError", "no camera"),
    ("x = 1\n", "ToolError", "is nothing, not a class"),
    ("Plugin = 3\n", "ToolError", "is a int, not a class"),
    (BASE + "class Plugin(BasePlugin):\n  name = 'a'\n  tools = {}\n", "TypeError", "run_tool"),
    ("class Plugin:\n  name = 'a'\n", "ToolError", "neither `run_tool` nor `analyze`"),
    ("class Plugin:\n  name = ' '\n  def analyze(self, b, o): ...\n", "ToolError", "not blank"),
    ("class Plugin:\n  def analyze(self, b, o): ...\n", "ToolError", "not blank"),
    ("class Plugin:\n  name = 'a'\n  def run_tool(self): ...\n", "ToolError", "`Plugin.tools` must be a dict"),
    ("class Plugin:\n  name = 'a'\n  tools = {'x': len}\n  def run_tool(self): ...\n", "ToolError", "a bare callable"),
    ("class Plugin:\n  name = 'a'\n  tools = {'x': 3}\n  def run_tool(self): ...\n", "ToolError", "is a int"),
    ("class Plugin:\n  name = 'a'\n  tools = {'': {}}\n  def run_tool(self): ...\n", "ToolError", "its name must"),
    ("class Plugin:\n  name = 'a'\n  tools = {'x': {'a': {1}}}\n  def run_tool(self): ...\n", "ToolError", "not JSON"),
    (strict("  tools = {}"), "ValueError", "`name`"),
    (strict("  name = 3\n  tools = {}"), "ValueError", "`name`"),
    (strict("  name = 'a'"), "ValueError", "`tools`"),
    (strict("  name = 'a'\n  tools = []"), "ValueError", "`tools`"),
    (strict("  name = 'a'\n  tools = {'x': 3}"), "ValueError", "must be a dict"),
    (strict("  name = 'a'\n  tools = {'x': {'handler': 'gone', %s}}" % WHOLE), "ValueError", "references non-existent method"),
    (strict("  name = 'a'\n  tools = {'x': {'handler': 3, %s}}" % WHOLE), "ValueError", "`handler`"),
    (strict("  name = 'a'\n  tools = {'x': {%s}}" % WHOLE), "ValueError", "`handler`"),
    (strict("  name = 'a'\n  tools = {'x': {'handler': 'm', 'input_schema': {}}}"), "ValueError", "`description`"),
    (strict("  name = 'a'\n  tools = {'x': {'handler': 'm', 'description': ''}}"), "ValueError", "`input_schema`"),
    (strict("  name = 'a'\n  tools = {'x': {'handler': 'm', 'description': '', 'input_schema': {}}}"),
     "ValueError", "`output_schema`"),
]  # fmt: skip


@pytest.mark.parametrize(
    "code,error_type,text", FAILURES, ids=[str(number) for number in range(len(FAILURES))]
)
def test_a_plugin_that_cannot_be_loaded_says_why(tmp_path, code, error_type, text):
    error = refused(package(tmp_path, code))
    assert (error["error_type"], error["traceback"] != "") == (error_type, True), error
    assert text in error["message"]


def test_the_strict_check_accepts_what_follows_it_with_extra_keys(tmp_path):
    tools = "{'x': {'handler': 'm', 'more': 1, %s}, 'y': {'handler': len, %s}}" % (WHOLE, WHOLE)
    with started(package(tmp_path, strict(f"  name = 'a'\n  tools = {tools}"))) as worker:
        assert [tool["name"] for tool in worker.ready["tools"]] == ["x", "y"]


def test_a_crash_at_import_ends_this_worker_and_says_nothing_wrong(tmp_path):
    code = "import ctypes\nctypes.string_at(0)\n"
    with started(package(tmp_path, code), initialize=False) as worker:
        assert worker.wait() == -11


def test_a_slow_import_is_watched_and_ends_with_its_host(tmp_path):
    with started(package(tmp_path, "import time\ntime.sleep(60)\n"), initialize=False) as worker:
        while worker.request("ping")["calls_running"] == 0:
            pass
        worker.socket.close()
        assert worker.wait() == 75


def test_edited_code_is_live_in_the_next_worker(tmp_path):
    for text in ("first", "second"):
        code = f"class Plugin:\n  name = 'a'\n  tools = {{'x': {{}}}}\n  def run_tool(self, t, a): return {text!r}\n"
        with started(package(tmp_path, code + "#" * len(text))) as worker:
            assert worker.call("x")["result"] == {"result": text}


def test_a_stray_module_in_the_working_directory_or_beside_the_plugin_breaks_nothing(tmp_path):
    place = package(tmp_path)
    (tmp_path / "json.py").write_text("raise ImportError('a stray one')\n")
    with started(place, cwd=place) as worker:
        assert worker.call("detect")["type"] == "result"


# With pydantic and numpy.


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    return environment(tmp_path_factory.mktemp("forgesyte-models") / "env", "pydantic>=2", "numpy")


def modelled(python: str, entry: str) -> Worker:
    return Worker(f"fs_models:{entry}", folder("forgesyte-models"), dialect="forgesyte", python=python)


def test_pydantic_schemas_and_results_are_understood(models):
    with modelled(models, "Ocr") as worker:
        assert worker.call("analyze", {"image_bytes": "YWJj"})["result"] == {"text": "abc", "confidence": 0.5}
        answer = worker.call("analyze", {"image_bytes": {"$blob": 0}}, blobs=[b"xyz"])
        assert answer["result"]["text"] == "xyz"
        words = worker.ready["facts"]["manifest"]["tools"][0]
        assert words["inputs"] == {"image_bytes": "string", "language": "string?"}


def test_models_of_the_old_host_are_checked_and_dumped_in_their_order(models):
    with modelled(models, "Mapper") as worker:
        assert worker.ready["plugin"]["description"] == "Maps."
        result = worker.call("analyze", {"image": "", "width": 3})["result"]
        assert list(result) == ["text", "blocks", "confidence", "language", "error", "extra"]
        assert result["blocks"] == [{"n": 3, "a": [[1.0, 0.0], [0.0, 1.0]]}]


def test_names_that_are_imported_for_the_type_checker_only_are_there_and_the_state_is_kept(models):
    with modelled(models, "Motion") as worker:
        assert worker.ready["plugin"]["description"] == ""
        assert worker.call("analyze", {"image": ""})["result"]["text"] == "frame 1"
        assert worker.call("analyze", {"image": "", "confidence": 2})["result"]["error"] == "ValidationError"
        assert worker.call("analyze", {"image": ""})["result"]["text"] == "frame 3"


def test_numpy_leaves_the_worker_as_plain_json(models):
    with modelled(models, "Numbers") as worker:
        assert worker.call("numbers")["result"] == {
            "int": 7, "float": 0.5, "nan": None, "bool": True, "array": [[0, 1], [2, 3]], "holes": [1.0, None],
            "day": "2026-01-02", "models": [{"text": "a", "confidence": 0.5}],
        }  # fmt: skip
