"""Another certificate for a guest that serves, or that has none."""

from ..place import REPOSITORY

SECONDS = 60


def bring(stage):
    """The scripts of dom0."""
    for name in ("tls-reload", "acme-challenge"):
        stage.machine.send(REPOSITORY / "scripts" / name, f"bin/{name}")
    stage.machine.check("chmod +x /guest/bin/*")


def reload(stage, pair):
    """scripts/tls-reload in dom0: (status, what it says)."""
    inside = [stage.machine.send(path, path.name) for path in pair]
    command = stage.machine.run(f"/guest/bin/tls-reload {stage.domain.name} {' '.join(inside)}", SECONDS)
    return command.status, command.output
