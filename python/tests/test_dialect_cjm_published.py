"""Plugins of the cjm contract as others have published them, unmodified."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from driver import Worker
from foreign import environment, find

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="cjm-plugin-system needs Python 3.12")

# Pinned: later interfaces need a later core. What they need for a server of their own is left out.
PACKAGES = (
    "cjm-plugin-system==0.0.34", "cjm-graph-plugin-sqlite==0.0.9", "cjm-graph-plugin-system==0.0.10",
    "cjm-text-plugin-nltk==0.0.7", "cjm-text-plugin-system==0.0.7", "cjm-system-monitor-nvidia==0.0.11",
    "cjm-infra-plugin-system==0.0.7", "cjm-media-plugin-ffmpeg==0.0.6", "cjm-media-plugin-system==0.0.7",
    "cjm-ffmpeg-utils==0.0.5", "nltk", "regex", "joblib", "click", "tqdm", "psutil", "nvitop",
)  # fmt: skip


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> str:
    return environment(tmp_path_factory.mktemp("published") / "env", *PACKAGES, alone=True)


def started(python: str, place: Path, entry: str, name: str) -> Worker:
    env = {"CJM_DATA_DIR": str(place / "data"), "HOME": str(place), "NLTK_DATA": str(place / "nltk")}
    return Worker(entry, str(place), dialect="cjm", name=name, python=python, env=env)


def do(worker: Worker, **named: Any) -> Any:
    answer = worker.call("execute", {"kwargs": named})
    assert answer["type"] == "result", answer
    return answer["result"]


def fails(worker: Worker, **named: Any) -> tuple:
    error = worker.call("execute", {"kwargs": named})["error"]
    return error["error_type"], error["category"], error["fields_invalid"]


def test_the_graph_plugin_keeps_a_graph_in_its_data_folder(published, tmp_path):
    entry = "cjm_graph_plugin_sqlite.plugin:SQLiteGraphPlugin"
    for round in range(2):
        with started(published, tmp_path, entry, "cjm-graph-plugin-sqlite") as worker:
            if round == 0:
                nodes = [{"id": name, "label": "Person", "properties": {"n": 1}} for name in "ab"]
                assert do(worker, action="add_nodes", nodes=nodes) == {"created_ids": ["a", "b"], "count": 2}
                edge = {"id": "e", "source_id": "a", "target_id": "b", "relation_type": "knows"}
                assert do(worker, action="add_edges", edges=[edge])["count"] == 1
            context = do(worker, action="get_context", node_id="a", depth=1)
            assert {node["id"] for node in context["nodes"]} == {"a", "b"} and len(context["edges"]) == 1
            assert do(worker, action="get_schema")["edge_types"] == ["knows"]
            assert fails(worker, action="nope") == ("PluginInputError", "user_input", ["action"])
            assert fails(worker, action="get_node") == ("KeyError", "user_input", None)
            assert worker.request("cleanup")["type"] == "result"
    assert (tmp_path / "data" / "cjm-graph-plugin-sqlite" / "context_graph.db").exists()


def test_the_text_plugin_splits_sentences_without_a_network_and_its_language_is_checked(published, tmp_path):
    with started(
        published, tmp_path, "cjm_text_plugin_nltk.plugin:NLTKPlugin", "cjm-text-plugin-nltk"
    ) as worker:
        spans = do(worker, action="split_sentences", text="Hello there. How are you?")["spans"]
        assert [span["text"] for span in spans] == ["Hello there.", "How are you?"]
        error = worker.request("reconfigure", old={}, new={"language": "klingon"})["error"]
        assert (error["error_type"], error["fields_invalid"]) == ("PluginConfigError", ["language"])
        assert worker.request("reconfigure", old={}, new={"language": "german"})["type"] == "result"
        result = do(worker, action="split_sentences", text="Guten Tag. Wie geht es?")
        assert result["metadata"]["language"] == "german"


def test_the_monitor_tells_what_the_machine_has(published, tmp_path):
    entry = "cjm_system_monitor_nvidia.plugin:NvidiaMonitorPlugin"
    with started(published, tmp_path, entry, "cjm-system-monitor-nvidia") as worker:
        assert worker.ready["config_schema"] is None
        status = worker.call("get_system_status")["result"]
        assert status["memory_total_mb"] > status["memory_used_mb"] > 0
        assert isinstance(worker.call("list_processes")["result"], list)
        assert fails(worker, command="nope") == ("PluginInputError", "user_input", ["command"])


def test_the_media_plugin_loads_and_names_the_file_that_is_not_there(published, tmp_path):
    entry = "cjm_media_plugin_ffmpeg.plugin:FFmpegProcessingPlugin"
    with started(published, tmp_path, entry, "cjm-media-plugin-ffmpeg") as worker:
        assert fails(worker, action="get_info", file_path="/nowhere") == (
            "PluginInputError", "user_input", ["file_path"],
        )  # fmt: skip


def test_published_plugins_are_listed_and_described_as_a_manifest(published, tmp_path):
    rows = {row["distribution"]: row for row in find(published)["plugins"]}
    assert set(rows) == {
        "cjm-graph-plugin-sqlite", "cjm-text-plugin-nltk", "cjm-system-monitor-nvidia", "cjm-media-plugin-ffmpeg",
    }  # fmt: skip
    before = sorted(path.name for path in Path(published).parent.parent.iterdir())
    found = find(published, "cjm-graph-plugin-sqlite", env={"HOME": str(tmp_path)})
    assert sorted(path.name for path in Path(published).parent.parent.iterdir()) == before
    manifest = found["manifest"]
    code = manifest["code"]
    assert (code["module"], code["class"]) == ("cjm_graph_plugin_sqlite.plugin", "SQLiteGraphPlugin")
    assert code["name"] == "cjm-graph-plugin-sqlite" and code["version"] == "0.0.9" and code["description"]
    assert code["resources"] == {"requires_gpu": False, "min_system_ram_mb": 512}
    # Its own metadata names an interface that does not exist.
    interface = "cjm_graph_plugin_system.plugin_interface.GraphPlugin"
    assert code["interface"] == interface and "cjm_graph_plugin_sqlite" in found["warnings"][0]
    assert code["taxonomy"] == {"domain": "graph", "role": "GraphPlugin", "interface_fqcn": interface}
    entry = f"{code['module']}:{code['class']}"
    with started(published, tmp_path, entry, code["name"]) as worker:
        facts = worker.ready["facts"]
        assert facts["config_schema_hash"] == manifest["drift_tracking"]["config_schema_hash"]
