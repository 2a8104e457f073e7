"""The guest as the network sees it: ping, and nmap's scans."""

import subprocess
import xml.etree.ElementTree as ElementTree

from ..checks import require
from .client import get


def nmap(address, *words):
    """{(protocol, number): state} of a scan, with the states of what nmap sums up under the key None."""
    line = ["nmap", "-n", "-Pn", "-oX", "-", *words, address]
    result = subprocess.run(line, capture_output=True, text=True, check=False, timeout=900)
    require(result.returncode == 0, f"{' '.join(line)}: {result.stderr.strip()}")
    return states_of(result.stdout)


def states_of(report):
    """The same, of nmap's XML."""
    host = ElementTree.fromstring(report).find("host")
    require(host is not None, "nmap saw no host")
    states = {
        (port.get("protocol"), int(port.get("portid"))): port.find("state").get("state") for port in host.iter("port")
    }
    states[None] = {extra.get("state"): int(extra.get("count")) for extra in host.iter("extraports")}
    return states


def open_of(states):
    """The numbers that are open."""
    return {key[1] for key, state in states.items() if key and state == "open"}


def ping(stage):
    """ICMP echo."""
    with stage.check("answers five pings of 1,400 bytes"):
        line = ["ping", "-n", "-c", "5", "-i", "0.2", "-W", "5", "-s", "1400", stage.address]
        result = subprocess.run(line, capture_output=True, text=True, check=False)
        require(" 5 received" in result.stdout, result.stdout.strip() + result.stderr.strip())


def protocols(stage):
    """nmap -sO."""
    with stage.check("nmap -sO shows icmp, tcp and udp and no more"):
        there = open_of(nmap(stage.address, "-sO", "-T4", "--max-retries", "2"))
        require(there == {1, 6, 17}, f"open are the protocols {sorted(there)}")


def ports(stage):
    """nmap -p-, and the guest lives on."""
    with stage.check("nmap -p- finds port 80 open and no other"):
        found = nmap(stage.address, "-sS", "-p-", "-T4", "--min-rate", "800", "--max-retries", "3")
        there = open_of(found)
        closed = found[None].get("closed", 0) + sum(state == "closed" for key, state in found.items() if key)
        require(there == {80}, f"open are {sorted(there)}")
        require(closed > 0, f"no port answered as closed: {found[None]}")
    with stage.check("serves after the scans"):
        require(get(stage.address, "/")[0] == 200, "another status")
