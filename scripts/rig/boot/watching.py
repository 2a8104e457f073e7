"""scripts/metrics and scripts/top in dom0, beside a guest that is asked for pages."""

import re
import subprocess
import sys
import threading

from .. import python
from ..checks import require
from ..place import BUILD
from .client import get

LIBRARY = BUILD / "prometheus"
# The text format's own reader, from PyPI.
PACKAGE = "prometheus-client==0.22.1"
# A guest writes its counters every two seconds.
SECONDS = 8
ATTEMPTS = 20


def prepare():
    """Fetches the reader, while there is a network."""
    done = LIBRARY.with_name("prometheus.done")
    if not done.exists() or done.read_text() != PACKAGE:
        line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--no-input", "install", "--no-compile"]
        subprocess.run([*line, "--upgrade", "--target", LIBRARY, PACKAGE], check=True)
        done.write_text(PACKAGE)


def watched(stage, config):
    """Boots a guest, and watches it."""
    with stage.check("Python comes to dom0, and a guest to be watched boots"):
        python.install(stage.machine)
        stage.boot(config, "memory=8")
    if not stage.address:
        return
    with stage.check("metrics in dom0: its text is one that Prometheus reads, and says what the guest has counted"):
        for _ in range(3):
            require(get(stage.address, "/")[0] == 200, "another status")
        labels = (("domain", stage.domain.name), ("domid", stage.domid()))
        for _ in range(ATTEMPTS):
            stage.machine.check("sleep 1")
            found = read(stage.machine.check("python3 /root/metrics"))
            if found.get(("halfpage_http_requests_total", labels)) == 3:
                break
        require(found.get(("halfpage_listening", labels)) == 1, f"listening: {found}")
        require(found.get(("halfpage_http_requests_total", labels)) == 3, f"requests: {found}")
        stage.machine.check("python3 /root/metrics --out /tmp/halfpage.prom")
        require(read(stage.machine.check("cat /tmp/halfpage.prom")).keys() == found.keys(), "its file says otherwise")
    with stage.check("top in dom0: requests a second, while there are some"):
        running = stage.machine.begin(f"python3 /root/top --every {SECONDS} --rounds 1")
        statuses, stop = [], threading.Event()

        def client():
            while not stop.is_set():
                statuses.append(get(stage.address, "/")[0])

        asking = threading.Thread(target=client)
        asking.start()
        try:
            said = stage.machine.finish(running, SECONDS * 10).output
        finally:
            stop.set()
            asking.join()
        requests = len(statuses)
        require(set(statuses) == {200}, f"other statuses: {set(statuses)}")
        line = re.search(rf"^{stage.domain.name} +listening +([\d.]+) ", said, re.MULTILINE)
        require(line and 0 < float(line[1]) <= requests, f"{requests} requests in {SECONDS} s, and it says {said}")
    stage.destroy()


def read(text):
    """{(name, labels): value} of the samples, by Prometheus's own reader."""
    sys.path.insert(0, str(LIBRARY))
    from prometheus_client.parser import text_string_to_metric_families  # pylint: disable=import-outside-toplevel

    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
