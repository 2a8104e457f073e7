"""The server as the network sees it: ping, and nmap's scans. `stage` is any target."""

import subprocess
import xml.etree.ElementTree as ElementTree

from ..checks import require
from .client import get


def nmap(address, *words):
    """{(protocol, number): state} of a scan, with the states of what nmap sums up under the key None."""
    return states_of(report(address, *words))


def report(address, *words):
    """nmap's XML of a scan."""
    line = ["nmap", "-n", "-Pn", "-oX", "-", *words, address]
    result = subprocess.run(line, capture_output=True, text=True, check=False, timeout=900)
    require(result.returncode == 0, f"{' '.join(line)}: {result.stderr.strip()}")
    return result.stdout


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


HTTP = 80
DHCP_CLIENT = 68


def all_scans(stage, full):
    """Each kind of scan, after which the server answers and has nothing to complain of.

    full: a thousand ports of UDP, which the limit on refusals makes slow, and not a hundred.
    """
    tcp = {HTTP: "open"}
    quiet = {HTTP: "open|filtered"}
    # Whoever asks for its address by DHCP takes the answers on that port.
    udp = {DHCP_CLIENT: "open|filtered"} if stage.configured_by_dhcp else {}
    for word, kind, expected in (
        ("-sS", "tcp", tcp), ("-sF", "tcp", quiet), ("-sX", "tcp", quiet), ("-sN", "tcp", quiet), ("-sU", "udp", udp),
        ("-sO", "ip", {1: "open", 6: "open", 17: "open"}),
    ):  # fmt: skip
        with stage.check(f"nmap {word} -T4 finds {expected or 'nothing open'}, all else closed"):
            fast = ["-F"] if word == "-sU" and not full else []
            states = nmap(stage.address, word, "-T4", *fast)
            others = states.pop(None)
            found = {number: state for (_, number), state in states.items() if state != "closed"}
            require(all(key[0] == kind for key in states), f"it lists {states}")
            require(found == expected, f"not closed are {found}")
            require(set(others) <= {"closed"}, f"of the others are {others}")
            require(sum(others.values()) + len(states) >= 100, f"it looked at {states}, {others}")
            well(stage)
    system(stage)


def system(stage):
    """nmap -O: it finds what it needs for a guess, and the guess is told."""
    with stage.check("nmap -O -T4 has its answers"):
        host = ElementTree.fromstring(report(stage.address, "-O", "-T4")).find("host")
        used = {port.get("state") for port in host.iter("portused")}
        require(used >= {"open", "closed"}, f"it used ports that are {used}")
        guesses = [f"{match.get('name')} ({match.get('accuracy')} %)" for match in host.iter("osmatch")]
        prints = [each.get("fingerprint") for each in host.iter("osfingerprint")]
        require(guesses or any(prints), "it has neither a guess nor a fingerprint")
        print(f"     nmap -O: {', '.join(guesses[:3]) or 'no match for its fingerprint'}", flush=True)
        well(stage)


def well(stage):
    """It answers, and has nothing to complain of."""
    line = ["curl", "-sS", "--fail", "--max-time", "20", "-o", "/dev/null", f"http://{stage.address}/"]
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    require(result.returncode == 0, result.stderr.strip())
    require(not (complaints := stage.complaints()), f"it complains: {complaints[:5]}")
