"""What the toolstack allots to a running guest, memory and processors, and what somebody types into its console."""

import re

from ..checks import require
from .client import get
from .counting import shown

SECONDS = 60
# More than the guest's budgets take, which it keeps whatever is asked.
MEMORY = 512
TYPED = 5000


def sizes(stage, config, wanted):
    """xl mem-set, down and up."""
    with stage.check(f"a guest of {MEMORY} MiB gives memory back after xl mem-set, as far as its budgets go"):
        stage.boot(config, f"memory={MEMORY}")
        before = shown(stage)[1]["memory"]
        resized(stage, MEMORY - 100, (MEMORY - 100) << 10)
        require(listed(stage) == MEMORY - 100, f"xl list has {listed(stage)} MiB")
        kept = kept_of(stage, 100)
        require(100 << 10 < kept < (MEMORY - 100) << 10, f"it keeps {kept} KiB")
        require(get(stage.address, "/")[0] == 200, "another status")
    if wanted.full:
        with stage.check("it migrates with the memory that it has"):
            stage.machine.check(f"xl migrate -s '' {stage.domain.name} 'xl migrate-receive'", SECONDS * 10)
            stage.domain.logs_as(f"{stage.domain.name}--incoming")
            stage.domain.expect(r"\] INFO  network: connected, ", SECONDS)
            require(get(stage.address, "/")[0] == 200, "another status")
    with stage.check("it takes the memory again that it had, and no more"):
        resized(stage, MEMORY, MEMORY << 10)
        require(listed(stage) == MEMORY, f"xl list has {listed(stage)} MiB")
        after = shown(stage)[1]["memory"]
        found = before["free_pages"], after["free_pages"], after["given_pages"]
        require(abs(int(found[0]) - int(found[1])) < 64 and found[2] == "0", f"pages free, then, and given: {found}")
        require(get(stage.address, "/")[0] == 200, "another status")
    stage.destroy()
    with stage.check("a guest of 8 MiB keeps all it has, says so once, and serves on"):
        stage.boot(config, "memory=8")
        require(kept_of(stage, 6) == 8 << 10, "it says something else")
        stage.machine.check(f"xl mem-set {stage.domain.name} 6")
        require(get(stage.address, "/")[0] == 200, "another status")
        lines = re.findall(r"\] \w+ +memory: the toolstack", stage.domain.said())
        require(len(lines) == 1, f"{len(lines)} lines")
    stage.destroy()


def resized(stage, mebibytes, kibibytes):
    """xl mem-set, and the guest has come so far."""
    stage.domain.mark()
    stage.machine.check(f"xl mem-set {stage.domain.name} {mebibytes}")
    stage.domain.expect(rf"\] INFO  memory: now {kibibytes} KiB\n", SECONDS)


def kept_of(stage, mebibytes):
    """xl mem-set to what is too little: what it keeps, in KiB."""
    stage.domain.mark()
    stage.machine.check(f"xl mem-set {stage.domain.name} {mebibytes}")
    wanted = rf"\] INFO  memory: the toolstack wants {mebibytes << 10} KiB, this guest keeps (\d+) KiB\n"
    return int(stage.domain.expect(wanted, SECONDS)[1])


def listed(stage):
    """Its memory as xl list has it."""
    return int(stage.machine.check(f"xl list {stage.domain.name}").splitlines()[1].split()[2])


def processors(stage, config):
    """xl vcpu-set, which is for others."""
    with stage.check("xl vcpu-set is a line on the console, once, and it serves on"):
        stage.boot(config, "memory=8", "vcpus=1", "maxvcpus=3")
        stage.domain.mark()
        stage.machine.check(f"xl vcpu-set {stage.domain.name} 2")
        # It looks at what the toolstack wants some time after its start: before the next wish, it is to have seen this.
        stage.domain.expect(r"\] INFO  processors: the toolstack wants 2; this guest runs on one\n", SECONDS)
        for count in (2, 1):
            stage.machine.check(f"xl vcpu-set {stage.domain.name} {count}")
        require(get(stage.address, "/")[0] == 200, "another status")
        lines = [line for line in stage.domain.said().splitlines() if "processors" in line or "ERROR" in line]
        require(len(lines) == 1, f"it says {lines}")


def typed(stage):
    """xl console, by one who types."""
    with stage.check("xl console shows what was said before, and what is typed there is ignored"):
        # Without a terminal of its own xl console does not read what it is given: that goes to the console's end.
        terminal = stage.store("console/tty")
        typing = f"head -c {TYPED} /dev/zero | tr '\\0' x >{terminal}"
        said = stage.machine.run(f"timeout 5 xl console {stage.domain.name} & {typing}; wait").output
        require(f"listening on http://{stage.address}/" in said, f"it shows {said[-300:]}")
        # More than the ring and the terminal hold: it came through.
        ignored = shown(stage)[1]["memory"]["console_ignored"]
        require(ignored == str(TYPED), f"{ignored} of {TYPED} bytes were ignored")
        require(get(stage.address, "/")[0] == 200, "another status")
    stage.destroy()
