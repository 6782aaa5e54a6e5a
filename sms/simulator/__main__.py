"""Start the simulator, or turn the knobs of a running one."""

import argparse
import asyncio
import http.client
import json
import sys
from pathlib import Path

from sms.simulator import controls
from sms.simulator.characters import CHARACTERS, Speech
from sms.simulator.server import serve

PORT = 9100
SMPP_PORT = 2775


def main(words: list[str]) -> int:
    """`[--port P] [--dir D] …` serves; `control OPERATOR name=value …` changes a running one; `reply OPERATOR --from M
    --to LINE TEXT` has people write to a line."""
    match words[:1]:
        case ["control"]:
            return _control(words[1:])
        case ["reply"]:
            return _reply(words[1:])
        case _:
            return _serve(words)


def _serve(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sms.simulator", description="Simulated operators for the panel.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT, help="0 takes a free one")
    parser.add_argument(
        "--smpp-port", type=int, default=SMPP_PORT, help="of the operator that speaks SMPP; 0: a free one"
    )
    parser.add_argument("--dir", type=Path, required=True, help="where the truth is kept")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same delays and faults")
    parser.add_argument(
        "--own-port",
        action="append",
        default=[],
        type=_own_port,
        metavar="OPERATOR=PORT",
        help="one more port for one operator, closed for real while it is cut off",
    )
    asked = parser.parse_args(words)
    asyncio.run(
        serve(
            host=asked.host,
            port=asked.port,
            smpp_port=asked.smpp_port,
            own_ports=dict(asked.own_port),
            truth_dir=asked.dir,
            seed=asked.seed,
        )
    )
    return 0


def _own_port(text: str) -> tuple[str, int]:
    code, _, port = text.partition("=")
    speaks_http = [code for code, character in CHARACTERS.items() if character.speech is not Speech.SMPP]
    if code not in speaks_http or not port.isdecimal():
        raise argparse.ArgumentTypeError(f"OPERATOR=PORT, the operator one of {', '.join(speaks_http)}")
    return code, int(port)


def _control(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sms.simulator control", description="Turn the knobs of a running simulator.")
    parser.add_argument("operator", choices=CHARACTERS)
    parser.add_argument("knobs", nargs="*", metavar="name=value", help="without any, the knobs are shown")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_intermixed_args(words)
    try:
        knobs = controls.from_words(asked.knobs)
    except controls.UnusableControl as error:
        parser.error(str(error))
    return _tell(asked.host, asked.port, f"/control/{asked.operator}", knobs)


def _reply(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sms.simulator reply", description="Have people write to a line.")
    parser.add_argument("operator", choices=CHARACTERS)
    parser.add_argument("text", help="with --count above 1, {n} in it is the running number")
    parser.add_argument("--from", dest="sender", required=True, metavar="MOBILE")
    parser.add_argument("--to", dest="line", required=True, metavar="LINE")
    parser.add_argument("--count", type=int, default=1, help="so many people, their numbers one after another")
    parser.add_argument("--times", type=int, default=1, help="the operator brings each text so many times")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_args(words)
    wanted = {"from": asked.sender, "to": asked.line, "body": asked.text, "count": asked.count, "times": asked.times}
    return _tell(asked.host, asked.port, f"/control/{asked.operator}/inbound", wanted)


def _tell(host: str, port: int, path: str, wanted: dict[str, object]) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("POST" if wanted else "GET", path, json.dumps(wanted) if wanted else None)
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    connection.close()
    print(json.dumps(answer, indent=2))  # noqa: T201 - the answer of a command
    return 0 if reply.status < 400 else 1  # noqa: PLR2004 - HTTP's line between yes and no


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
