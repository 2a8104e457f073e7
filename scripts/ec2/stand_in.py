"""A stand-in for AWS: moto, and what it lacks. Runs by the Python that has moto.

    stand_in.py LOG     prints the port, and writes each call to LOG as a line of JSON: its right, its words, its body's digest
"""

import base64
import hashlib
import io
import json
import re
import sys
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

CONSOLE = b"[  0.012345] INFO  halfpage\r\n[  0.212345] INFO  listening on http://10.0.0.10/\r\n"

# The calls of the EBS direct API, by method and path.
EBS = {
    r"POST /snapshots$": "ebs:StartSnapshot",
    r"PUT /snapshots/[^/]+/blocks/\d+$": "ebs:PutSnapshotBlock",
    r"POST /snapshots/completion/[^/]+$": "ebs:CompleteSnapshot",
}

# moto has no kernel images, and nothing on a console. Two images of another age stand around the newest.
KERNELS = "".join(
    f"<item><imageId>{image}</imageId><name>pv-grub-hd0_{version}-x86_64.gz</name><imageType>kernel</imageType></item>"
    for image, version in (("aki-00000001", "1.03"), ("aki-00000003", "1.05"), ("aki-00000002", "1.04"))
)
ANSWERS = {
    "ec2:DescribeImages": f"<DescribeImagesResponse><imagesSet>{KERNELS}</imagesSet></DescribeImagesResponse>",
    "ec2:GetConsoleOutput": "<GetConsoleOutputResponse><output>"
    f"{base64.b64encode(CONSOLE).decode()}</output></GetConsoleOutputResponse>",
}


def main(log):
    moto = DomainDispatcherApplication(create_backend_app)

    def answer(environ, start):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        called = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        right = next((right for pattern, right in EBS.items() if re.match(pattern, called)), None)
        words = {}
        if right is None:
            words = dict(parse_qsl(body.decode()))
            right = f"ec2:{words.get('Action')}"
        elif "completion" in called:
            words = {"ChangedBlocksCount": environ.get("HTTP_X_AMZ_CHANGEDBLOCKSCOUNT")}
        elif "blocks" in called:
            words = {"Index": called.rpartition("/")[2], "Checksum": environ.get("HTTP_X_AMZ_CHECKSUM")}
        else:
            words = json.loads(body)
        entry = {"right": right, "words": words, "digest": hashlib.sha256(body).hexdigest(), "length": len(body)}
        log.write(json.dumps(entry) + "\n")
        log.flush()
        if right in ANSWERS:
            start("200 OK", [("Content-Type", "text/xml")])
            return [ANSWERS[right].encode()]
        return moto(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="ascii") as out:
        main(out)
