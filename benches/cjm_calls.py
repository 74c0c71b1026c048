"""The same calls on cjm-plugin-system: one plugin, one call after the other, through its own host.

Prints one JSON object: the times of all calls in seconds, sorted. `cargo xtask bench -- dialects` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path


def manifest(plugins: str) -> dict:
    """As its command-line tool would have written it."""
    return {
        "format_version": "2.0",
        "install": {
            "python_path": sys.executable, "conda_env": "", "db_path": "",
            "env_vars": {"PYTHONPATH": plugins},
            "installed_at": "", "installer_version": "", "package_source": "",
        },
        "code": {
            "name": "echo-cjm", "version": "1.0.0", "description": "", "module": "echo_cjm", "class": "Echo",
            "interface": "cjm_plugin_system.core.interface.PluginInterface",
            "config_schema": {"type": "object", "properties": {"unused": {"type": "string", "default": ""}}},
        },
        "drift_tracking": {},
        "overrides": {},
    }  # fmt: skip


def main() -> None:
    """Make the calls in a folder of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--plugins", required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--no-records", action="store_true", help="its records of use switched off")
    arguments = parser.parse_args()
    manifests = arguments.folder / "manifests"
    manifests.mkdir(parents=True, exist_ok=True)
    (manifests / "echo-cjm.json").write_text(json.dumps(manifest(arguments.plugins)))
    records = "false" if arguments.no_records else "true"
    (arguments.folder / "cjm.yaml").write_text(
        f"data_dir: {arguments.folder}\nsubstrate: {{empirical_tracking: {records}}}\n"
    )
    os.chdir(arguments.folder)
    from cjm_plugin_system.core.manager import PluginManager

    manager = PluginManager(search_paths=[manifests])
    manager.discover_manifests()
    if not manager.load_plugin(manager.discovered[0]):
        sys.exit("the original host does not load the plugin")
    text = "x" * arguments.bytes
    times = []
    try:
        for _ in range(arguments.calls + arguments.calls // 10):
            begun = time.perf_counter()
            result = manager.execute_plugin("echo-cjm", text=text)
            times.append(time.perf_counter() - begun)
        assert result == {"text": text}, result
    finally:
        manager.unload_all()
    print(json.dumps({"seconds": sorted(times[arguments.calls // 10 :])}))


if __name__ == "__main__":
    main()
