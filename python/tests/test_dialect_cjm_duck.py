"""Classes that have the methods of the cjm contract without its package; and what is refused."""

from __future__ import annotations

import os
from typing import Any

import pytest
from driver import Worker
from foreign import folder

DUCK = {"directory": folder("cjm-duck"), "dialect": "cjm", "name": "duck"}


def names(worker: Worker) -> set:
    return {tool["name"] for tool in worker.ready["tools"]}


def refused(entry: str, **more: Any) -> dict:
    with Worker(entry, initialize=False, **{**DUCK, **more}) as worker:
        answer = worker.receive()
        assert answer["type"] == "error" and worker.wait() == 3
        error: dict = answer["error"]
        return error


def test_a_class_that_only_has_the_methods_runs():
    with Worker("cjm_duck:Duck", **DUCK) as worker:
        assert names(worker) == {"execute"}
        result = worker.call("execute", {"args": [1], "kwargs": {"a": 2}})["result"]
        assert result == {"args": [1], "kwargs": {"a": 2}, "calls": [["initialize", {}]]}
        for kind in ("validate", "prefetch", "enable", "disable", "config_options", "cleanup"):
            assert worker.request(kind)["type"] == "result"


def test_a_class_without_reconfigure_is_initialized_with_the_new_config():
    with Worker("cjm_duck:Duck", **DUCK) as worker:
        assert worker.request("reconfigure", old={}, new={"tag": "y"})["type"] == "result"
        calls = worker.call("execute")["result"]["calls"]
        assert calls == [["initialize", {}], ["initialize", {"tag": "y"}]]


def test_no_config_is_the_defaults_and_a_value_like_the_default_is_right_whatever_the_schema_says():
    with Worker("cjm_duck:Duck", initialize=False, **DUCK) as worker:
        worker.receive()
        assert worker.request("initialize", config=None)["type"] == "result"
        assert worker.call("execute")["result"]["calls"] == [["initialize", {"tag": "x", "map": {}}]]
        assert worker.request("reconfigure", old={}, new={"map": {"a": 1}})["type"] == "result"
        assert worker.request("reconfigure", old={}, new={"map": 3})["error"]["fields_invalid"] == ["map"]


def test_a_schema_without_properties_takes_any_config_and_initialize_is_called():
    with Worker("cjm_duck:Monitor", config={"anything": 1}, **DUCK) as worker:
        assert worker.ready["config_schema"] is None
        assert worker.call("get_system_status")["result"]["initialized"] == {"anything": 1}
    with Worker("cjm_duck:Monitor", **DUCK) as worker:
        assert worker.call("get_system_status")["result"]["initialized"] == {}


def test_attributes_that_a_class_sets_itself_belong_to_their_call():
    with Worker("cjm_duck:Worker", concurrency=4, **DUCK) as worker:
        first, second = worker.start("spin", {"name": "a"}), worker.start("spin", {"name": "b"})
        for call, name in ((first, "a"), (second, "b")):
            worker.until(lambda m: m["type"] == "progress" and m["id"] == call and m["message"] == name)
        worker.cancel(second)
        assert worker.answer(second)["result"] == "stopped by itself"
        assert worker.request("ping")["calls_running"] == 1
        worker.cancel(first)
        worker.answer(first)
        usage = {message["id"]: message["usage"] for message in worker.seen if message["type"] == "usage"}
        assert usage == {first: {"a": 1}, second: {"b": 1}}


def test_threads_of_many_calls_never_take_each_others_place():
    with Worker("cjm_duck:Worker", concurrency=8, **DUCK) as worker:
        calls = {worker.start("tell", {"name": f"call {number}"}): f"call {number}" for number in range(24)}
        for call, name in calls.items():
            assert worker.answer(call)["result"] == {name: 1}
        spoken = {m["id"]: m["message"] for m in worker.seen if m["type"] == "progress"}
        assert spoken == {call: f"thread of {name}" for call, name in calls.items()}


def test_a_thread_that_no_call_started_speaks_for_the_only_one_that_runs():
    with Worker("cjm_duck:Worker", **DUCK) as worker:
        call = worker.start("beat")
        assert worker.answer(call)["type"] == "result"
        spoken = [(m["id"], m["fraction"], m["message"]) for m in worker.seen if m["type"] == "progress"]
        assert (call, 1.0, "beating") in spoken


def test_an_interrupt_that_hits_anywhere_leaves_the_next_call_on_its_own():
    with Worker("cjm_duck:Worker", **DUCK) as worker:
        for _ in range(20):
            call = worker.start("spin", {"name": "x"})
            worker.until(lambda m: m["type"] == "progress" and m["id"] == call)
            worker.cancel(call, "interrupt")
            worker.answer(call)
        call = worker.start("beat")
        assert worker.answer(call)["type"] == "result"
        assert {m["id"] for m in worker.seen if m.get("message") == "beating"} == {call}


def test_a_cancel_that_raises_does_not_keep_the_next_step_from_ending_the_call():
    with Worker("cjm_duck:Stubborn", **DUCK) as worker:
        call = worker.start("spin")
        worker.until(lambda m: m["type"] == "progress" and m["id"] == call)
        worker.cancel(call)
        told = worker.until(lambda m: m["type"] == "log")
        assert told["message"] == "cancel() raised RuntimeError: it cannot stop"
        worker.cancel(call, "interrupt")
        assert worker.answer(call)["error"]["error_type"] == "Cancelled"
        assert worker.call("tell", {"name": "after"})["result"] == {"after": 1}


def test_a_monitor_without_execute_is_a_monitor_only():
    with Worker("cjm_duck:Monitor", **DUCK) as worker:
        assert worker.call("get_system_status")["result"]["cpu_percent"] == 1.5
        assert worker.call("list_processes")["result"] == []
        error = worker.call("execute", {"command": "x"})["error"]
        assert (error["error_type"], error["category"]) == ("Unavailable", "resource")
        assert error["message"].startswith("cjm_task_adapter_required: class `Monitor` of cjm-duck")


def test_a_monitor_that_has_no_own_status_is_asked_through_execute_and_other_failures_are_told():
    with Worker("cjm_duck:OldMonitor", **DUCK) as worker:
        assert worker.call("get_system_status")["result"] == {"command": "get_system_status"}
        assert worker.call("list_processes")["result"] == [{"pid": 7, "gpu_index": -1}]
    with Worker("cjm_duck:BrokenMonitor", **DUCK) as worker:
        assert worker.call("get_system_status")["error"]["error_type"] == "OSError"
    with Worker("cjm_duck:Duck", **DUCK) as worker:
        assert worker.call("get_system_status")["error"]["error_type"] == "ToolNotFound"


def test_a_class_whose_tasks_moved_to_adapters_is_refused_with_the_reason():
    error = refused("cjm_duck:Adapted")
    assert error["error_type"] == "Unavailable"
    assert error["message"].startswith(
        "cjm_task_adapter_required: class `Adapted` of cjm-duck has no `execute`"
    )


REFUSED = [
    ("cjm_nowhere:X", "ModuleNotFoundError", "cjm_nowhere"),
    ("cjm_duck:Missing", "ToolError", "`cjm_duck:Missing` is nothing, not a class"),
    ("cjm_duck", "ToolError", "is not `module:Class`"),
    ("cjm_duck:threading", "ToolError", "is a module, not a class"),
    ("cjm_duck:Broken", "SystemExit", "4"),
    ("cjm_duck:BadSchema", "ToolError", "returned a list, not a dict"),
]


@pytest.mark.parametrize("entry,error_type,text", REFUSED)
def test_a_plugin_that_cannot_be_loaded_says_why(entry, error_type, text):
    error = refused(entry)
    assert error["error_type"] == error_type and text in error["message"] and error["traceback"]


def test_what_is_logged_while_it_is_loaded_is_seen_and_a_forced_setup_does_not_cut_the_capture():
    with Worker("cjm_duck:Logs", **DUCK) as worker:
        worker.call("execute")
        assert "[INFO] while it is made" in worker.text()
        logs = {message["logger"]: message["message"] for message in worker.seen if message["type"] == "log"}
        assert logs["later"] == "while it is initialized pages=3"


def test_its_folders_and_the_defaults_it_declares_are_in_its_environment_before_it_is_made(tmp_path):
    folders = {"data_dir": str(tmp_path / "data"), "models_dir": str(tmp_path / "models")}
    with Worker("cjm_duck:Wants", env={"DUCK_PORT": "9"}, **DUCK, **folders) as worker:
        seen = worker.call("execute")["result"]["calls"][0]
        data, own = str(tmp_path / "data"), str(tmp_path / "data" / "duck")
        assert os.path.isdir(own)
        for name in ("CJM_DATA_DIR", "CJM_PLUGIN_DATA_DIR", "CJM_CAPABILITY_DATA_DIR"):
            assert seen[name] == data
        assert seen["PLUGIN_DATA_DIR"] == seen["CAPABILITY_DATA_DIR"] == own
        assert seen["CJM_MODELS_DIR"] == str(tmp_path / "models")
        assert (seen["DUCK_CACHE"], seen["DUCK_PORT"]) == (f"{own}/cache of duck", "9")
    error = refused("cjm_duck:WantsMore", **folders)
    assert "the default of `DUCK_CACHE` names `${NOWHERE}`" in error["message"]
    assert "${PLUGIN_DATA_DIR}" in error["message"]


def test_an_exception_that_will_not_be_read_is_still_a_typed_error():
    with Worker("cjm_duck:Hostile", **DUCK) as worker:
        error = worker.call("execute")["error"]
        assert (error["error_type"], error["category"]) == ("Odd", "fatal")
        assert error["traceback"]


def test_a_worker_listens_nowhere():
    with Worker("cjm_duck:Duck", **DUCK) as worker:
        worker.call("execute")
        folder_of = f"/proc/{worker.process.pid}"
        opened = [os.readlink(f"{folder_of}/fd/{fd}") for fd in os.listdir(f"{folder_of}/fd")]
        sockets = {link[8:-1] for link in opened if link.startswith("socket:[")}
        listening = set()
        for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
            with open(f"{folder_of}/net/{table}") as file:
                listening |= {line.split()[9] for line in file.readlines()[1:]}
        assert sockets and not sockets & listening


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_busy_worker_ends_with_its_host(concurrency):
    with Worker("cjm_duck:Worker", concurrency=concurrency, **DUCK) as worker:
        call = worker.start("spin")
        worker.until(lambda message: message["type"] == "progress" and message["id"] == call)
        worker.socket.close()
        assert worker.wait() == 75


def test_a_stray_module_in_the_working_directory_breaks_nothing(tmp_path):
    (tmp_path / "json.py").write_text("raise ImportError('a stray one')\n")
    (tmp_path / "hashlib.py").write_text("raise ImportError('a stray one')\n")
    with Worker("cjm_duck:Duck", cwd=str(tmp_path), **DUCK) as worker:
        assert worker.call("execute")["type"] == "result"
    with Worker("cjm_duck:Duck", **{**DUCK, "directory": str(tmp_path)}, initialize=False) as worker:
        assert "cjm_duck" in worker.receive()["error"]["message"]
