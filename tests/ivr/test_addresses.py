"""Which of its addresses this machine is known by, in a network of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys

from crm.settings import PROJECT

ASK = """
import json, subprocess, sys
from ivr.provision import outward_address
for command in json.loads(sys.argv[1]):
    subprocess.run(["sh", "-ec", command], check=True)
    print(outward_address() or "none")
"""


def interface(name: str, address: str) -> str:
    return "; ".join((
        f"ip link add {name} type veth peer name {name}-far", f"ip link set {name}-far up",
        f"ip addr add {address}/24 dev {name}", f"ip link set {name} up",
    ))


def test_an_interface_that_comes_or_goes_does_not_change_it() -> None:
    told = {
        "ip link set lo up": "none",
        interface("only", "192.168.7.5"): "192.168.7.5",  # without a way outside
        "ip route add default via 192.168.7.1": "192.168.7.5",
        interface("bridge", "10.1.1.1"): "192.168.7.5",
        "ip link del bridge": "192.168.7.5",
    }
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", sys.executable, "-c", ASK, json.dumps(list(told))],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(told.values())
