"""The webhook: who pushes says so, and is believed nothing but that it is time to look."""

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import socket
import time

import parts as real
import pytest

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PAYLOAD = json.dumps({"ref": "refs/heads/main", "after": "0" * 40}).encode()


def code(body=PAYLOAD, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body=PAYLOAD):
    return {"X-Hub-Signature-256": f"sha256={code(body)}"}


def standard_code(body=PAYLOAD):
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    message = b"msg_1.1700000000." + body
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


# What each sender sends: its headers, and what is behind the stack in the address.
SENDERS = {
    "github": ({"User-Agent": "GitHub-Hookshot/044aadd", "X-GitHub-Event": "push",
                "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "X-GitHub-Hook-ID": "292430182", "X-Hub-Signature": "sha1=" + "0" * 40,
                "X-Hub-Signature-256": f"sha256={code()}"}, ""),
    "gitlab": ({"User-Agent": "GitLab/17.0", "X-Gitlab-Event": "Push Hook",
                "X-Gitlab-Token": SECRET, "Idempotency-Key": "f5e5f430"}, ""),
    "gitlab-signed": ({"User-Agent": "GitLab/18.0", "X-Gitlab-Event": "Push Hook",
                       "webhook-id": "msg_1", "webhook-timestamp": "1700000000",
                       "webhook-signature": f"v1,{standard_code()}"}, ""),
    "gitea": ({"X-Gitea-Event": "push", "X-Gitea-Signature": code(), "X-Gogs-Signature": code(),
               "X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={code()}"}, ""),
    "forgejo": ({"X-Forgejo-Event": "push", "X-Forgejo-Signature": code(),
                 "X-Gitea-Signature": code()}, ""),
    "bitbucket": ({"User-Agent": "Bitbucket-Webhooks/2.0", "X-Event-Key": "repo:push",
                   "X-Hook-UUID": "uuid", "X-Hub-Signature": f"sha256={code()}"}, ""),
    "docker-hub": ({"User-Agent": "Go-http-client/1.1"},
                   "?token=" + SECRET.replace("=", "%3D")),
}


class Hook:
    """A host with a webhook, and a stack that is looked at once an hour else."""

    def __init__(self, host, **settings):
        self.host = host
        self.port = real.free_port()
        self.secret = host.folder / "webhook-secret"
        self.secret.touch(mode=0o600)
        self.secret.write_text(SECRET + "\n")
        host.daemon_settings["webhook"] = {"listen": f"127.0.0.1:{self.port}",
                                           "secret_file": str(self.secret)}
        settings.setdefault("git", {"interval": "1h"})
        settings.setdefault("images", {"interval": "1h"})
        host.push("web", "1", version="1", health=False)
        self.stack = host.stack("shop", self.services("1"),
                                gate={"timeout": "20s", "stable": "300ms"}, **settings)

    def services(self, tag):
        return {"web": {"image": self.host.image("web", tag)}}

    def start(self):
        self.host.start()
        self.stack.wait_commit(self.stack.git("rev-parse", "HEAD"))
        return self

    def call(self, headers, path="/hooks/shop", body=PAYLOAD, method="POST", port=None):
        """(status, JSON) of one call."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= 400:
            assert response.headers["Content-Type"] == "application/problem+json"
            assert answer["status"] == response.status and answer["title"] and answer["detail"]
            assert SECRET not in json.dumps(answer)
        return response.status, answer

    def told(self):
        return self.host.get("/v1/status")[1]["webhook"]

    def looks(self):
        return self.host.log.read_text().count("shop: polling now")


@pytest.fixture
def hook(host):
    return Hook(host)


def test_each_senders_call_has_a_push_deployed_at_once(hook):
    hook.start()
    assert hook.told() == {"address": f"127.0.0.1:{hook.port}", "error": "", "called_at": None}
    for sender, (headers, query) in SENDERS.items():
        commit = hook.stack.push(hook.services("1"), {"sender.txt": sender})
        status, answer = hook.call(headers, "/hooks/shop" + query)
        assert (status, answer) == (202, {"stacks": ["shop"]}), sender
        hook.stack.wait_commit(commit)
        assert (hook.stack.directory / "sender.txt").read_text() == sender
    assert hook.told()["called_at"] is not None
    commit = hook.stack.push(hook.services("1"), {"sender.txt": "all stacks"})
    assert hook.call(signed(), "/hooks") == (202, {"stacks": ["shop"]})
    hook.stack.wait_commit(commit)
    # Neither the payload nor the secret, which one sender has in the address, is in the log.
    log = hook.host.log.read_text()
    assert SECRET not in log and "refs/heads/main\"" not in log and hook.looks() >= len(SENDERS)


def test_a_real_registrys_notification_has_a_new_image_deployed_at_once(make_host, tmp_path):
    port = real.free_port()
    registry = real.Registry(tmp_path / "registry")
    config = registry.folder / "registry.yml"
    settings = json.loads(config.read_text())
    settings["notifications"] = {"endpoints": [{
        "name": "trimtab", "url": f"http://127.0.0.1:{port}/hooks/shop", "timeout": "5s",
        "threshold": 5, "backoff": "1s", "headers": {"Authorization": [f"Bearer {SECRET}"]}}]}
    config.write_text(json.dumps(settings))
    registry.start()
    other = make_host(registry=registry)
    try:
        hook = Hook(other)
        hook.port = port
        other.daemon_settings["webhook"]["listen"] = f"127.0.0.1:{port}"
        hook.stack.push(hook.services("latest"))
        other.push("web", "latest", version="2", health=False)
        hook.start()
        assert hook.stack.version("web") == "2"
        digest = other.push("web", "latest", version="3", health=False)
        other.wait(lambda: digest in hook.stack.running_digest("web"), "the new image runs")
        # One that a commit waits for.
        commit = hook.stack.push(hook.services("later"))
        assert hook.call(signed())[0] == 202
        hook.stack.wait_state("waiting")
        other.push("web", "later", version="4", health=False)
        hook.stack.wait_commit(commit)
        assert hook.stack.version("web") == "4"
    finally:
        other.close()
        registry.stop()


def test_who_does_not_know_the_secret_gets_nothing_done_and_learns_nothing(hook):
    hook.start()
    hook.stack.push(hook.services("1"), {"pushed.txt": "x"})
    wrong = {"X-Hub-Signature-256": f"sha256={code(secret='guessed')}"}
    for headers in ({}, wrong, {"X-Gitlab-Token": "guessed"}):
        answers = {json.dumps(hook.call(headers, path))
                   for path in ("/hooks/shop", "/hooks/nobody", "/hooks")}
        assert len(answers) == 1 and json.loads(answers.pop())[0] == 401

    def gets(status, headers, *path, **more):
        # More refusals than a second allows are answered with 429.
        hook.host.wait(lambda: hook.call(headers, *path, **more)[0] == status, f"{path}: {status}")
    # A signature is of one body.
    gets(401, signed(), body=b"{}")
    gets(404, signed(), "/hooks/nobody")
    gets(405, signed(), method="GET")
    gets(405, {}, method="PUT")
    # The status API does not exist, with the secret or without.
    for path in ("/v1/status", "/healthz", "/metrics", "/", "/v1/stacks/shop/deploy"):
        gets(404, {}, path)
        gets(404, signed(), path, method="GET")
    assert hook.looks() == 0 and not (hook.stack.directory / "pushed.txt").exists()
    assert hook.told()["called_at"] is None
    assert hook.host.log.read_text().count("webhook: refused") == 1

    # Guessing is slowed down; who knows the secret is served all the same.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(lambda _: hook.call(wrong)[0], range(200)))
        served = hook.call(signed())[0]
    assert set(refused) == {401, 429} and served == 202
    assert hook.host.log.read_text().count("webhook: refused") <= 2


def test_a_changed_secret_counts_at_once(hook):
    hook.start()
    hook.secret.write_text("another secret\n")
    assert hook.call(signed())[0] == 401
    other = {"X-Gitea-Signature": code(secret="another secret")}
    assert hook.call(other)[0] == 202
    hook.secret.rename(hook.secret.with_name("gone"))
    assert hook.call(other)[0] == 503
    assert str(hook.secret) in hook.told()["error"]
    assert any(str(hook.secret) in p for p in hook.host.get("/v1/status")[1]["problems"])
    hook.secret.with_name("gone").rename(hook.secret)
    assert hook.call(other)[0] == 202
    assert hook.told()["error"] == ""


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def test_bodies_cost_no_memory_and_have_an_end(hook):
    hook.start()
    before = resident(hook.host.daemon.child.pid)
    limit = 25 * 1024 * 1024
    largest = os.urandom(1024) * (limit // 1024)
    assert hook.call(signed(largest), body=largest)[0] == 202

    def raw(head, body=b""):
        """The beginning of the answer to one whose body is still under way."""
        with socket.create_connection(("127.0.0.1", hook.port), 10) as connection:
            connection.sendall(b"POST /hooks/shop HTTP/1.1\r\n" + head + b"\r\n\r\n")
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(26 if body else 0):
                    connection.sendall(body)
            return connection.recv(12)
    proof = f"X-Gitlab-Token: {SECRET}\r\n".encode()
    assert raw(proof + f"Content-Length: {limit + 1}".encode()) == b"HTTP/1.1 413"
    megabyte = b"100000\r\n" + largest[:2 ** 20] + b"\r\n"
    assert raw(proof + b"Transfer-Encoding: chunked", megabyte) == b"HTTP/1.1 413"
    # Without a proof in the head no body is read.
    assert raw(b"Content-Length: 20000000") == b"HTTP/1.1 401"
    assert hook.call({**signed(), "X-Long": "x" * 10_000})[0] == 431
    # Far less than one body; a sanitizer's allocator keeps some of what was freed.
    assert resident(hook.host.daemon.child.pid) < before + limit // 1024 // 3


def test_slow_and_silent_clients_are_cut_off_and_keep_nobody_out(hook):
    hook.start()
    begun = time.monotonic()
    head = f"POST /hooks/shop HTTP/1.1\r\nX-Gitlab-Token: {SECRET}\r\nContent-Length: 9\r\n\r\n"

    def connect(request):
        client = socket.create_connection(("127.0.0.1", hook.port), 30)
        client.sendall(request)
        return client
    halves = [connect(head.encode()[:40]), connect(head.encode() + b"{")]
    crowd = [connect(b"") for _ in range(100)]
    assert hook.call(signed())[0] == 202
    for client in crowd:
        client.close()
    slow = connect(b"POST /hooks/shop HTTP/1.1\r\nX-Slow: ")
    with pytest.raises(OSError):
        while time.monotonic() - begun < 30:
            slow.sendall(b"a")
            slow.settimeout(0.5)
            try:
                if slow.recv(100) == b"":
                    raise BrokenPipeError
            except TimeoutError:
                continue
    for client in halves:
        try:
            assert client.recv(100) == b""
        except ConnectionResetError:
            pass
    assert time.monotonic() - begun < 25
    assert hook.call(signed())[0] == 202


def test_a_burst_of_calls_and_replays_cause_few_looks(hook):
    hook.start()
    before = hook.stack.instances()
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: hook.call(signed())[0], range(500))) == {202}
    commit = hook.stack.push(hook.services("1"), {"pushed.txt": "x"})
    assert hook.call(signed())[0] == 202
    hook.stack.wait_commit(commit)  # the last call is not lost among the others
    took = time.monotonic() - begun
    assert hook.looks() <= took + 2
    # The same call again, an hour or a day later, deploys nothing that Git does not ask for.
    for _ in range(3):
        checked = hook.stack.status()["git"]["checked_at"]
        assert hook.call(signed())[0] == 202
        hook.host.wait(lambda: hook.stack.status()["git"]["checked_at"] != checked, "it has looked")
    assert hook.stack.instances() == before
    assert len(hook.stack.releases()) == 2


def test_a_port_that_is_taken_is_told_and_keeps_nothing_from_its_work(hook):
    with socket.create_server(("127.0.0.1", hook.port)):
        hook.start()
        error = hook.told()["error"]
        assert f"127.0.0.1:{hook.port}" in error and "another program" in error
        assert f"webhook: {error}" in hook.host.get("/v1/status")[1]["problems"]
        assert error in hook.host.log.read_text()
    hook.host.wait(lambda: hook.told()["error"] == "", "it listens once the port is free")
    assert hook.call(signed())[0] == 202
    # A restart finds the port free, whatever is left of old connections.
    hook.host.stop()
    hook.host.start()
    assert hook.told()["error"] == "" and hook.call(signed())[0] == 202


def test_a_reload_moves_it_turns_it_off_and_on(hook):
    def reload():
        (hook.host.config / "trimtab.yaml").write_text(json.dumps(hook.host.daemon_settings))
        hook.host.reload()

    def closed(port):
        with pytest.raises(ConnectionRefusedError):
            hook.call(signed(), port=port)
        return True
    settings = hook.host.daemon_settings.pop("webhook")
    hook.start()
    assert hook.told() is None and closed(hook.port)
    hook.host.daemon_settings["webhook"] = settings
    reload()
    hook.host.wait(lambda: hook.told() is not None, "it is on")
    hook.host.wait(lambda: hook.call(signed())[0] == 202, "it listens")
    old, hook.port = hook.port, real.free_port()
    with_v6 = f"[::1]:{hook.port}"
    settings["listen"] = with_v6
    reload()
    hook.host.wait(lambda: hook.told()["address"] == with_v6, "it has moved")
    assert closed(old)
    connection = http.client.HTTPConnection("::1", hook.port, timeout=10)
    connection.request("POST", "/hooks/shop", PAYLOAD, signed())
    assert connection.getresponse().status == 202
    connection.close()
    # A file with a mistake changes nothing.
    hook.host.daemon_settings["webhook"] = {"listen": "nowhere", "secret_file": str(hook.secret)}
    reload()
    hook.host.wait(lambda: hook.host.get("/v1/status")[1]["problems"], "the mistake is told")
    assert hook.told()["address"] == with_v6
    del hook.host.daemon_settings["webhook"]
    reload()
    hook.host.wait(lambda: hook.told() is None, "it is off")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("::1", hook.port), 5)


def test_behind_nginx_as_the_manual_says(hook):
    hook.start()
    port = real.free_port()
    manual = (real.pathlib.Path(__file__).parents[2] / "packaging/man/trimtabd.8").read_text()
    location = manual.partition("location /hooks")[2].partition("\n}")[0]
    assert "127.0.0.1:9000" in location
    location = "location /hooks" + location.replace("127.0.0.1:9000", f"127.0.0.1:{hook.port}")
    folder = hook.host.folder / "nginx"
    folder.mkdir()
    config = folder / "nginx.conf"
    paths = "\n".join(f"{kind}_temp_path {folder}/tmp;" for kind in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(f"""
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  {paths}
  server {{ listen 127.0.0.1:{port};
{location}
}} }}
}}
""")
    nginx = real.Process("nginx", ["nginx", "-c", config], folder)
    nginx.start()
    try:
        nginx.wait_until(lambda: hook.call(signed(), port=port)[0] == 202, "nginx answers")
        large = os.urandom(1024) * 3000
        assert hook.call(signed(large), body=large, port=port)[0] == 202
        assert hook.call({}, port=port)[0] == 401
    finally:
        nginx.stop()
