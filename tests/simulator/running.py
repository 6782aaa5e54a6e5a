"""A simulator in a process of its own, for any test that wants operators to talk to."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from sms.operators.contract import Access

ROOT = Path(__file__).parents[2]
CREDENTIALS = {
    "3000": {"username": "payamgah", "domain": "sample", "password": "sample-3000"},
    "2000": {"username": "payamgah", "domain": "sample", "password": "sample-2000"},
    "1000": {"username": "payamgah", "password": "smpp1000"},
    "5000": {"api_key": "sample-5000"},
}


class RunningSimulator:
    """Started on free ports by `with`; `own_port_of` names operators that get a door of their own."""

    def __init__(self, directory: Path, *, seed: int = 1, own_port_of: tuple[str, ...] = ()) -> None:
        self._words = ["--port", "0", "--smpp-port", "0", "--dir", str(directory), "--seed", str(seed)]
        self._words += [word for code in own_port_of for word in ("--own-port", f"{code}=0")]
        self._process: subprocess.Popen[str]
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sms.simulator", *self._words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        self.urls = dict(zip(words[::2], words[1::2], strict=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, *, is_kill: bool = False) -> None:
        """End it, politely or not."""
        (self._process.kill if is_kill else self._process.terminate)()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def url(self) -> str:
        return self.urls["simulator"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def smpp_port(self) -> int:
        """Where operator 1000 listens."""
        return int(self.urls["1000"].rpartition(":")[2])

    def base_url(self, operator: str) -> str:
        """Where a gateway of this operator points to; its own door where it has one."""
        if operator == "1000":
            return self.urls[operator]
        path = "v1/" if operator == "5000" else "api/http/sms/v2/"
        return f"{self.urls.get(operator, self.url)}/{operator}/{path}"

    def access(self, operator: str = "3000", *, timeout_seconds: float = 10.0) -> Access:
        """What an adapter needs to talk to this operator."""
        return Access(self.base_url(operator), CREDENTIALS[operator], timeout_seconds=timeout_seconds)

    def control(self, operator: str, **knobs: object) -> dict[str, Any]:
        """Turn knobs; returns all of them."""
        answer: dict[str, Any] = self.call(f"/control/{operator}", json.dumps(knobs).encode())
        return answer

    def reset(self) -> None:
        """All operators as on their first day, but quick."""
        for code in CREDENTIALS:
            self.control(code, reset=True, accept_delay_ms=0, report_delay_seconds=[0, 0])

    def truth(self, page: str) -> Any:
        """One page of the truth, such as `summary` or `?operator=3000&uid=7`."""
        return self.call(f"/truth/{page}" if not page.startswith("?") else f"/truth{page}")

    def call(self, path: str, body: bytes | None = None, *, operator: str | None = None) -> Any:
        """One request to any address; signed when `operator` is named."""
        request = Request(self.url + path, data=body)  # noqa: S310 - our own address
        if operator is not None:
            request.add_header("Authorization", authorization(operator))
        with urlopen(request, timeout=10) as reply:  # noqa: S310
            return json.loads(reply.read())


def authorization(operator: str) -> str:
    """The header Magfa wants."""
    return (
        "Basic " + base64.b64encode("{username}/{domain}:{password}".format(**CREDENTIALS[operator]).encode()).decode()
    )
