"""The daemon's socket: every answer is what config/openapi.yaml says, whoever asks and however."""

import json
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

import jsonschema
import parts as real
import pytest
import yaml
from host import BUILD, ROOT

OPENAPI = yaml.safe_load((ROOT / "config/openapi.yaml").read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


def strict(schema):
    """The schema, with members that it does not name forbidden: none is left undocumented."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value) for key, value in schema.items()}
    if isinstance(result.get("properties"), dict):
        result.setdefault("additionalProperties", False)
    return result


def conforms(value, schema):
    jsonschema.Draft202012Validator(
        {**strict(schema), "components": strict(OPENAPI["components"])},
        format_checker=formats).validate(value)


def services(host, version="1"):
    return {"web": {"image": host.image("web", version)},
            "api": {"image": host.image("api", "1")}}


def shop(host, **settings):
    settings.setdefault("gate", {"timeout": "20s", "stable": "1s"})
    for version, behaviour in (("1", "serve"), ("2", "slow 3"), ("3", "exit 4 0")):
        host.push("web", version, version=version, behaviour=behaviour)
    host.push("api", "1", health=False)
    return host.stack("shop", services(host), **settings)


class Client:
    """Asks the daemon and holds each answer against what is documented of its route."""

    def __init__(self, host):
        self.host = host
        self.asked = set()

    def ask(self, method, template, expected, *, query="", body=None, headers=None, **parameters):
        self.asked.add((method.lower(), template, expected))
        path = template.format(**{"name": "shop", **parameters})
        connection = real.UnixConnection(self.host.socket)
        try:
            connection.request(method, path + query, body, headers or {})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        where = f"{method} {path}{query}: {response.status} {text}"
        assert response.status == expected, where
        operation = OPENAPI["paths"].get(template, {}).get(method.lower(), {"responses": {}})
        documented = operation["responses"].get(str(expected))
        if documented is None:
            documented = operation["responses"].get("default", {
                "$ref": "#/components/responses/Problem"})
        if "$ref" in documented:
            documented = OPENAPI["components"]["responses"][documented["$ref"].split("/")[-1]]
        ((kind, content),) = documented["content"].items()
        assert response.headers["Content-Type"].partition(";")[0] == kind, where
        if kind == "text/event-stream":
            return self.events(text, content["schema"])
        value = json.loads(text) if kind.endswith("json") else text
        try:
            conforms(value, content["schema"])
        except jsonschema.ValidationError as e:
            raise AssertionError(f"{where}\n{e}") from None
        if kind == "application/problem+json":
            assert value["status"] == expected
            assert "\n" not in value["detail"] and value["detail"], where
        return value

    @staticmethod
    def events(text, schema):
        events = []
        for block in text.strip().split("\n\n"):
            if block.startswith(":"):
                continue
            kind, data = re.fullmatch(r"event: (\w+)\ndata: (.*)", block).groups()
            event = json.loads(data)
            conforms(event, schema)
            assert event["type"] == kind
            events.append(event)
        return events

    def ask_all(self):
        """Every question that changes nothing."""
        self.ask("GET", "/healthz", 200)
        status = self.ask("GET", "/v1/status", 200)
        stack = self.ask("GET", "/v1/stacks/{name}", 200)
        for release in self.ask("GET", "/v1/stacks/{name}/releases", 200)["releases"]:
            self.ask("GET", "/v1/stacks/{name}/releases/{number}", 200, number=release["number"])
        if stack["deployment"] is None:
            self.ask("GET", "/v1/stacks/{name}/plan", 200)
        else:
            self.ask("GET", "/v1/stacks/{name}/plan", 409)
        self.ask("GET", "/v1/stacks/{name}/logs", 200, query="?tail=5&service=web"
                 if stack["containers"] else "")
        self.ask("GET", "/v1/events", 200, query="?recent=1000&follow=false")
        assert [s["name"] for s in status["stacks"]] == ["shop"]
        return stack

    def order(self, what, **body):
        """An operator's request that is accepted; waits for its end and returns last_request."""
        request = self.ask("POST", f"/v1/stacks/{{name}}/{what}", 202,
                           body=json.dumps(body))["request"]

        def ended():
            result = self.ask("GET", "/v1/stacks/{name}", 200)["last_request"]
            return result["id"] == request and result["outcome"] != "in_progress" and result
        return self.host.wait(ended, f"{what} ends")


def test_every_answer_is_as_documented_in_every_state(host):
    stack = shop(host)
    client = Client(host)
    # Nothing is known yet: the remote does not exist.
    stack.origin.rename(stack.origin.with_name("later.git"))
    host.start()
    stack.wait_state("failed")
    client.ask("GET", "/v1/stacks/{name}", 200)
    client.ask("GET", "/v1/stacks/{name}/releases", 200)
    client.ask("GET", "/v1/stacks/{name}/plan", 404)
    client.ask("POST", "/v1/stacks/{name}/rollback", 409)
    stack.origin.with_name("later.git").rename(stack.origin)
    client.ask("POST", "/v1/stacks/{name}/check", 202)
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert client.ask_all()["state"] == "synced"

    stack.push(services(host, "2"))
    stack.wait_phase("gating")
    assert client.ask_all()["state"] == "deploying"
    client.ask("POST", "/v1/stacks/{name}/deploy", 409)
    stack.wait_outcome(2, "good")
    stack.wait_state("synced")
    stack.push(services(host, "3"))
    failure = stack.wait_outcome(3, "rolled_back")["failure"]
    assert failure["services"][0]["log"]
    host.wait(lambda: stack.status()["deployment"] is None, "it has rolled back")
    client.ask_all()
    # Rejected before anything is touched.
    stack.push({"web": {"build": "."}})
    stack.wait_outcome(4, "rejected")
    client.ask_all()

    assert client.order("deploy")["outcome"] == "rejected"
    assert client.order("rollback", release=1)["outcome"] == "done"
    assert client.order("pause", reason="a test")["outcome"] == "done"
    assert client.ask_all()["state"] == "paused"
    client.ask("POST", "/v1/stacks/{name}/deploy", 409)
    assert client.order("resume")["outcome"] == "done"
    stack.docker("rm", "api", "-f")
    host.wait(lambda: stack.status()["drift"], "drift is told")
    assert [c["state"] for c in client.ask_all()["containers"] if c["service"] == "api"] == [
        "missing"]

    # What cannot be.
    client.ask("GET", "/v1/stacks/{name}", 404, name="shopp")
    client.ask("GET", "/v1/stacks/{name}/releases/{number}", 404, number=99)
    client.ask("GET", "/v1/stacks/{name}/releases/{number}", 404, number="first")
    client.ask("GET", "/v1/stacks/{name}/logs", 404, query="?service=nobody")
    client.ask("GET", "/v1/events", 404, query="?stack=nobody")
    client.ask("POST", "/v1/stacks/{name}/rollback", 404, body='{"release": 99}')
    client.ask("POST", "/v1/stacks/{name}/deploy", 400, body='{"commit": "--upload-pack=x"}')
    client.ask("POST", "/v1/stacks/{name}/deploy", 400, body="{")
    client.ask("POST", "/v1/stacks/{name}/deploy", 400, body="[]")
    client.ask("POST", "/v1/status", 405)
    client.ask("POST", "/healthz", 405)
    client.ask("DELETE", "/v1/stacks/{name}", 405)
    client.ask("POST", "/v1/stacks/{name}/plan", 405)
    client.ask("POST", "/v1/stacks/{name}", 405)
    client.ask("GET", "/v1/stacks/{name}/deploy", 405)
    client.ask("POST", "/v1/stacks/{name}/nonsense", 404)
    for nowhere in ("/", "/v2/status", "/v1/stacks", "/v1/stacks/shop/nonsense",
                    "/v1/stacks/shop/releases/1/2", "/%2e%2e/etc/passwd"):
        client.ask("GET", nowhere, 404)
    client.ask("POST", "/v1/stacks/{name}/pause", 413, body=b"x" * 100_000)
    client.ask("GET", "/v1/status", 431, headers={"X-Long": "x" * 10_000})

    documented = {(method, path) for path, item in OPENAPI["paths"].items()
                  for method in item if method in ("get", "post", "put", "delete")}
    assert documented == {(method, path) for method, path, status in client.asked if status < 300}


def ask(host):
    return host.get("/v1/status")[0]


def test_clients_that_say_nothing_or_never_read_are_cut_off(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))

    def connect(request=b""):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(str(host.socket))
        client.sendall(request)
        return client

    begun = time.monotonic()
    silent, half, deaf = connect(), connect(b"GET /v1/status HT"), connect(
        b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    # More silent ones than are let in: who has something to say is served all the same.
    crowd = [connect() for _ in range(300)]
    assert ask(host) == 200
    assert host.ask("status", "shop")["state"] == "synced"
    for client in crowd:
        client.close()
    # One that sends slowly does not stretch its time.
    slow = connect()
    sent = 0
    with pytest.raises(OSError):
        while time.monotonic() - begun < 30:
            slow.sendall(b"GET /v1/status HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         [sent:sent + 1] or b"a")
            sent += 1
            if select.select([slow], [], [], 0.5)[0] and not slow.recv(100):
                raise BrokenPipeError
    for client in (silent, half):
        assert client.recv(100) == b""
    assert time.monotonic() - begun < 25

    # Events that nobody reads do not gather for ever.
    for _ in range(400):
        assert host.post("/v1/stacks/shop/pause", {"reason": "x" * 190})[0] == 202
        assert host.post("/v1/stacks/shop/resume")[0] == 202
    received = b""
    while piece := deaf.recv(65536):
        received += piece
    assert received.count(b"event: ") < 4000
    assert ask(host) == 200

    # Those who follow may go at any moment, and be there when the daemon stops.
    followers = [connect(b"GET /v1/stacks/shop/logs?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
                 for _ in range(2)]
    for follower in followers:
        assert follower.recv(15) == b"HTTP/1.1 200 OK"
    followers[0].close()
    assert ask(host) == 200
    host.stop()


def test_who_follows_the_logs_sees_what_a_deployment_and_a_restart_start(host):
    stack = shop(host)
    host.start()
    stack.wait_state("synced")
    command = [BUILD / "trimtab", "logs", "shop", "web", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          env={**host.environment, "TRIMTAB_SOCKET": str(host.socket)}) as follower:
        lines = []
        patience = threading.Timer(90, follower.kill)
        patience.start()

        def wait_for(text):
            while True:
                lines.append(follower.stdout.readline())
                assert lines[-1], lines
                if text in lines[-1]:
                    return

        try:
            wait_for("web | version 1")
            stack.push(services(host, "2"))
            wait_for("web | version 2")
            stack.wait_outcome(2, "good")
            stack.docker("restart", "web")
            wait_for("web | version 2")
            assert sum("version 1" in line for line in lines) == 1, lines
            assert sum("version 2" in line for line in lines) == 2, lines
        finally:
            patience.cancel()
            follower.terminate()


ASK = """
import http.client, socket, sys
connection = http.client.HTTPConnection("trimtab")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/v1/status")
response = connection.getresponse()
print(response.status, response.headers["Content-Type"])
print(response.read().decode())
"""


def test_only_root_and_the_group_may_ask(host):
    shop(host)
    host.daemon_settings["socket"] = {"group": "daemon"}
    # Every user may enter /run, whoever runs the tests with which TMPDIR.
    with tempfile.TemporaryDirectory(prefix="trimtab-socket-", dir="/run") as folder:
        host.socket = real.pathlib.Path(folder) / "s.sock"
        host.socket.parent.chmod(0o755)
        host.daemon_arguments[-1] = host.socket
        host.start()
        assert host.socket.stat().st_mode & 0o777 == 0o660
        host.socket.chmod(0o666)  # what the mode would stop must be refused by itself

        def ask_as(user, group, *more):
            return subprocess.run([sys.executable, "-c", ASK, host.socket], user=user, group=group,
                                  extra_groups=more, capture_output=True, text=True,
                                  cwd="/").stdout.partition("\n")
        first, _, body = ask_as("nobody", "nogroup")
        assert first == "403 application/problem+json"
        conforms(json.loads(body), {"$ref": "#/components/schemas/Problem"})
        assert "host" not in body
        assert ask_as("nobody", "daemon")[0] == "200 application/json"
        assert ask_as("root", "root")[0] == "200 application/json"
        host.stop()
        assert not host.socket.exists()
