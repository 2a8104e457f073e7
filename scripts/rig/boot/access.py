"""The access log: what a client sees to, and what it cannot bring about."""

import re
import time

from ..checks import require
from . import web
from .client import Exchange, get
from .counting import shown

SECONDS = 30
LINE = re.compile(r'^[0-9.]+ - - \[[^\]]+\] "(?:[^"\\]|\\.)*" \d{3} (?:\d+|-) "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"$')
# Lines in ten seconds, and what more a test may take to end.
SHARE, PERIODS = 200, 4


def untold(stage):
    """How many lines it says it has left out, since its start: a slow console leaves some out while it boots."""
    return sum(map(int, re.findall(r"^access log: (\d+) not shown$", stage.domain.console(), re.MULTILINE)))


def lines(stage):
    """The log's lines since the last mark."""
    return [line for line in stage.domain.said().splitlines() if re.match(r"[0-9.]+ - - ", line)]


def logged(stage, config):
    """Boots with the log on, and asks."""
    with stage.check("access_log=on: a request has its line in the Combined Log Format"):
        stage.boot(config, "memory=8", 'extra="access_log=on"')
        get(stage.address, "/?a", "Referer: http://there/", "User-Agent: me")
        line = r' - - \[../.../....:..:..:.. \+0000\] "GET /\?a HTTP/1.1" 200 \d+ "http://there/" "me"\n'
        stage.domain.expect(re.escape(stage.host) + line, SECONDS)
    if not stage.address:
        return
    with stage.check("access_log=on: what a client sends stays within its line, and is no command to a terminal"):
        stage.domain.mark()
        for text in ("GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n", "\x1b]0;x\x07\r\n\r\n",
                     'GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x" 200 1\\\r\nReferer: \x9b31m\t\r\n\r\n'):  # fmt: skip
            with Exchange(stage.address) as exchange:
                exchange.send(text).response()
        stage.domain.expect(r'"\\xc2\\x9b31m" "x\\" 200 1\\\\"\n', SECONDS)
        require(len(lines(stage)) == 3 and all(map(LINE.match, lines(stage))), f"it says {stage.domain.said()}")
        odd = set(stage.domain.said()) - set(map(chr, range(32, 127))) - {"\n"}
        require(not odd, f"the console has {odd}")
    stage.domain.mark()
    web.wrk(stage, 16, 3)
    with stage.check("access_log=on: under load lines are left out, counted, and told"):
        counters = shown(stage)[0]
        left = counters.get("http_unlogged", 0)
        answers = sum(value for name, value in counters.items() if name.startswith("http_responses_"))
        require(left > 0 and left < answers, f"{left} of {answers} left out")
        deadline = time.monotonic() + SECONDS
        # The next line that is shown comes with the next share, of which the load may have seen one.
        while untold(stage) < left:
            require(time.monotonic() < deadline, f"it tells {untold(stage)} of {left} that it left out")
            get(stage.address, "/later")
            time.sleep(1)
        left = shown(stage)[0]["http_unlogged"]
        require(untold(stage) <= left, f"it tells {untold(stage)} of {left}")
        require(len(lines(stage)) <= SHARE * PERIODS, f"{len(lines(stage))} lines")
        cut = [line for line in lines(stage) if not LINE.match(line)]
        require(not cut, f"such lines: {cut[:3]}")
        require(shown(stage)[1]["memory"]["console_lost"] == "0", "it lost something")
    stage.destroy()
