"""What images do: wrong machines, cut transfers, full disks, quotas, logins, old ones that go."""

import base64
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

import parts as real
import pytest

INDEX = "application/vnd.oci.image.index.v1+json"


def shop(host, version="1", **settings):
    settings = {"gate": {"timeout": "20s", "stable": "300ms"}, **settings}
    host.push("web", "latest", version=version, health=False)
    return host.stack("shop", services(host), **settings)


def services(host, tag="latest", at=None):
    image = host.image("web", tag)
    return {"web": {"image": image.replace(host.registry.address, at) if at else image}}


def look_now(stack):
    code, body = stack.host.post(f"/v1/stacks/{stack.name}/check")
    assert code == 202, body


def wait_finding(stack, name):
    """Waits for a release that was rejected for this; returns it."""
    def found():
        assert stack.releases(), "none yet"
        release = max(stack.releases(), key=lambda one: one["number"])
        assert release["outcome"] == "rejected", release["outcome"]
        release = stack.release(release["number"])
        assert name in [finding["name"] for finding in release["findings"]], release["findings"]
        return release
    return stack.host.wait(found, name)


def push_index(host, tag, attested=None, **platforms):
    """A list of images by architecture, as buildx makes them; returns its digest.

    `attested`: says how they were built, in an entry of its own.
    """
    repository = f"host{host.number}/web"
    entries = []
    if attested:
        host.push("web", f"{tag}-attestation", version=attested, architecture="unknown")
        platforms = {**platforms, "unknown": attested}
    for architecture, version in platforms.items():
        digest = host.push("web", f"{tag}-{architecture}", version=version, health=False,
                           architecture=architecture)
        _, _, body = host.registry.request("GET", f"/v2/{repository}/manifests/{digest}", headers={
            "Accept": "application/vnd.docker.distribution.manifest.v2+json"})
        entries.append({"mediaType": json.loads(body)["mediaType"], "digest": digest,
                        "size": len(body), "platform": {"os": "linux",
                                                        "architecture": architecture}})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return host.registry.push_manifest(repository, tag, json.dumps(index).encode(), INDEX)


def test_an_image_for_other_machines_is_refused_before_anything_stops(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    push_index(host, "foreign", arm64="2", riscv64="2")
    stack.push(services(host, "foreign"))
    release = wait_finding(stack, "image-platform")
    reason = release["failure"]["reason"]
    assert host.image("web", "foreign") in reason and "linux/arm64, linux/riscv64" in reason
    assert "not for linux/amd64" in reason
    # One image without a list of platforms says it in its configuration.
    host.push("web", "arm", version="3", architecture="arm64")
    stack.push(services(host, "arm"))
    host.wait(lambda: len(stack.releases()) == 3, "the next is looked at")
    assert "it is for linux/arm64" in wait_finding(stack, "image-platform")["failure"]["reason"]
    assert stack.instances() == before
    # A list that has this host's is as good as an image.
    push_index(host, "both", arm64="4", amd64="4")
    stack.wait_commit(stack.push(services(host, "both")))
    assert stack.version("web") == "4"


def test_a_service_has_the_platform_that_it_asks_for(any_compose_host):
    host = any_compose_host
    push_index(host, "both", **{"386": "small", "amd64": "large"})
    image = host.image("web", "both")
    both = {"small": {"image": image, "platform": "linux/386"}, "large": {"image": image}}
    stack = host.stack("shop", both, gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert [stack.version(service) for service in ("small", "large")] == ["small", "large"]
    # The host's own, said in so many words, is what runs already.
    before = stack.instances()
    spelled = {**both, "large": {"image": image, "platform": "linux/amd64"}}
    stack.wait_commit(stack.push(spelled))
    assert stack.instances()["small"] == before["small"]
    stack.wait_commit(stack.push({**spelled, "small": {"image": image}}))
    assert stack.version("small") == "large"
    stack.push({**spelled, "small": {"image": image, "platform": "linux/riscv64"}})
    reason = wait_finding(stack, "image-platform")["failure"]["reason"]
    assert "linux/386, linux/amd64, not for linux/riscv64" in reason


def test_an_index_that_is_only_attested_anew_replaces_nothing(host):
    push_index(host, "latest", attested="once", amd64="1")
    stack = host.stack("shop", services(host), gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    push_index(host, "latest", attested="twice", amd64="1")
    checked = stack.status()["images"]["checked_at"]
    look_now(stack)
    host.wait(lambda: stack.status()["images"]["checked_at"] != checked, "the registry is asked")
    stack.wait_polls(2)
    assert stack.wait_state("synced") and stack.instances() == before
    push_index(host, "latest", attested="twice", amd64="2")
    look_now(stack)
    host.wait(lambda: stack.instances() != before, "the new image is deployed")
    assert stack.wait_state("synced") and stack.version("web") == "2"


def test_a_commit_that_names_its_own_images_waits_for_them_and_brings_them_back(host):
    def push(commit, version):
        return [host.push(name, commit, version=version, health=False) for name in ("web", "api")]

    stack = host.stack("shop", {name: {"image": host.image(name, "${TRIMTAB_COMMIT}")}
                                for name in ("web", "api")})
    first = stack.git("rev-parse", "HEAD")
    web_1, _ = push(first, "1")
    host.start()
    stack.wait_commit(first)
    before = stack.instances()

    # What is new in the commit never meets the image of the commit before.
    second = stack.push(files={"web/code": "2"})
    assert host.image("web", second) in stack.wait_state("waiting")["reason"]
    stack.wait_polls(1)
    assert stack.instances() == before
    web_2 = host.push("web", second, version="2", health=False)
    assert host.push("api", second, version="1", health=False)
    stack.wait_commit(second)
    after = stack.instances()
    assert stack.running_digest("web") == [web_2]
    assert after["web"] != before["web"] and after["api"] == before["api"]

    # A commit whose images are the same ones restarts nothing.
    third = stack.push(files={"README.md": "Words"})
    assert host.push("web", third, version="2", health=False) == web_2
    host.push("api", third, version="1", health=False)
    assert stack.wait_commit(third)["release"] == 3
    assert stack.instances() == after

    # Back on the first commit: its images are there.
    stack.git("reset", "-q", "--hard", first)
    stack.git("push", "-q", "--force", "origin", "HEAD:main")
    stack.wait_commit(first)
    assert stack.running_digest("web") == [web_1] and stack.instances()["api"] == after["api"]
    assert [release["outcome"] for release in stack.releases()] == ["good"] * 4
    assert [stack.release(number)["findings"] for number in range(1, 5)] == [[]] * 4


class Cutter:
    """Stands before the registry and breaks transfers off after so many bytes of an answer."""

    def __init__(self, registry, limit):
        self.upstream = tuple(registry.address.split(":"))
        self.limit = limit  # None: no more
        self.on_cut = lambda: None
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.upstream[0], int(self.upstream[1])))
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, self.limit),
                             daemon=True).start()

    def at_limit(self):
        """Whether the transfer goes on."""
        self.cuts += 1
        self.on_cut()
        return False

    def pump(self, source, target, limit):
        passed = 0
        try:
            while piece := source.recv(65536):
                passed += len(piece)
                if limit is not None and passed > limit and not self.at_limit():
                    break
                target.sendall(piece)
        except OSError:
            pass
        for end in source, target:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        # A thread that is about to accept would do so on whatever socket has the number next.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()


def test_a_transfer_that_breaks_off_is_tried_again_while_the_old_version_runs(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    host.push("web", "2", version="2", health=False, filler=5_000_000)
    cutter = Cutter(host.registry, limit=3_000_000)
    try:
        commit = stack.push(services(host, "2", at=cutter.address))
        stack.wait_phase("pulling")
        host.wait(lambda: cutter.cuts > 0, "it is cut")
        pull = stack.status()["deployment"]["pull"]
        assert 5_000_000 < pull["total"] < 8_000_000  # known before all layers were begun
        assert stack.instances() == before
        cutter.limit = None
        stack.wait_commit(commit, 120)
    finally:
        cutter.close()
    assert stack.version("web") == "2"
    assert [r["outcome"] for r in stack.releases()] == ["good", "good"]


class Holder(Cutter):
    """Has transfers stand still instead."""

    def __init__(self, registry, limit):
        self.held = 0
        self.closed = threading.Event()
        super().__init__(registry, limit)

    def at_limit(self):
        self.held += 1
        self.closed.wait()
        return False

    def close(self):
        self.closed.set()
        super().close()


def test_a_pull_ends_at_once_when_nobody_wants_it_any_more(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    host.push("web", "2", version="2", health=False, filler=5_000_000)
    host.push("web", "3", version="3", health=False)
    holder = Holder(host.registry, limit=3_000_000)
    try:
        stack.push(services(host, "2", at=holder.address))
        host.wait(lambda: holder.held == 1, "the transfer stands still")
        with host.events("shop") as events:
            host.trimtab("pause", "shop")
            told = events.wait(lambda e: e["event"] == "release")
        assert (told["release"], told["outcome"]) == (2, "in_progress")
        assert "shop was paused" in told["message"] and stack.instances() == before
        # It goes on under its number, until there is something newer.
        host.trimtab("resume", "shop")
        host.wait(lambda: holder.held == 2, "it is pulled again")
        stack.wait_commit(stack.push(services(host, "3")))
    finally:
        holder.close()
    assert stack.version("web") == "3"
    assert [r["outcome"] for r in stack.releases()] == ["good", "superseded", "good"]


@pytest.fixture
def small_engine():
    """An Engine whose images lie on a disk of 80 MB."""
    with tempfile.TemporaryDirectory(prefix="trimtab-engine-") as folder:
        engine = real.Engine(folder)
        data = pathlib.Path(folder) / "data"
        data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80M", "tmpfs", data], check=True)
        try:
            engine.start()
            yield engine, data
        finally:
            engine.close()


def test_a_disk_that_is_too_small_is_told_with_its_bytes_before_anything_is_pulled(
        small_engine, make_host):
    engine, data = small_engine
    host = make_host(engine=engine)
    stack = shop(host)
    host.start()
    release = wait_finding(stack, "disk-space")
    reason = release["failure"]["reason"]
    needed, free = re.findall(r"\((\d+) bytes\)", reason)
    status = real.os.statvfs(data)
    assert int(needed) > 100_000_000 and abs(int(free) - status.f_bavail * status.f_frsize) < 5_000_000
    assert str(data) in reason
    assert "docker system df" in release["failure"]["hint"]
    assert engine.docker("image", "ls", "-q") == ""
    plan = host.ask("plan", "shop", code=None)
    assert plan["pull"]["bytes"] == plan["pull"]["total_bytes"] > 500_000
    assert plan["pull"]["free_bytes"] < 80 << 20
    # With room, the same commit is deployed.
    subprocess.run(["mount", "-o", "remount,size=600M", data], check=True)
    host.trimtab("deploy", "shop", "--wait")
    assert stack.version("web") == "1"


def kept_tags(host):
    listed = host.engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}",
                                "trimtab.local/shop/*")
    return set(listed.split())


def test_images_of_releases_that_are_kept_no_more_go_and_others_stay(host):
    stack = shop(host, keep=0)
    host.start()
    digests = []
    # Content that no other test has: what another's tag keeps would stay.
    for version in "kept-1", "kept-2", "kept-3", "kept-4", "kept-5":
        digests.append(host.push("web", version, version=version, health=False))
        stack.wait_commit(stack.push(services(host, version)))

    def short(digest):
        return f"trimtab.local/shop/web:{digest.removeprefix('sha256:')[:12]}"
    host.wait(lambda: kept_tags(host) == {short(digest) for digest in digests[-2:]},
              "the images of the kept releases alone are here")
    for digest in digests[:3]:
        repository = host.image("web", "x").rsplit(":", 1)[0]
        assert host.engine.docker("image", "inspect", f"{repository}@{digest}", check=False) == "[]"
    # What others do to make room takes nothing of them, or not for long.
    host.engine.docker("image", "prune", "-f")
    assert kept_tags(host) == {short(digest) for digest in digests[-2:]}
    host.engine.docker("image", "prune", "-a", "-f")
    host.trimtab("rollback", "shop", "--wait")
    assert stack.version("web") == "kept-4"
    assert stack.running_digest("web") == [digests[-2]]


def test_fifty_looks_at_eight_tags_cost_no_manifest_and_one_connection(host):
    names = [f"web{i}" for i in range(8)]
    for name in names:
        host.push(name, "latest", version="1", health=False)
    stack = host.stack("shop", {name: {"image": host.image(name)} for name in names},
                       images={"interval": "1h"}, gate={"timeout": "60s", "stable": "300ms"})
    log = host.registry.process.log

    def questions():
        """The daemon's own, since the stack was deployed: (method, connection)."""
        lines = log.read_text(errors="replace")[begun:].splitlines()
        return [re.search(r"request.method=(\w+) .*remoteaddr=\"([^\"]+)", line).groups()
                for line in lines if "useragent=trimtab/" in line and f"/host{host.number}/" in line
                and "response completed" in line]
    begun = 0
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    begun = len(log.read_text(errors="replace"))
    for look in range(1, 51):
        look_now(stack)
        host.wait(lambda: len(questions()) >= 8 * look, "all tags are asked for")
    assert {method for method, _ in questions()} == {"HEAD"}
    assert len({connection for _, connection in questions()}) == 1
    digest = host.push("web3", "latest", version="2", health=False)
    look_now(stack)
    host.wait(lambda: stack.running_digest("web3") == [digest], "the new image runs")


def test_a_commit_that_waits_for_its_image_gives_way_to_a_newer_one(host):
    stack = shop(host, images={"interval": "1s", "wait": "10m"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.push(services(host, "never"))
    status = stack.wait_state("waiting")
    assert host.image("web", "never") in status["reason"] and "checked again in" in status["next"]
    assert "10m" in status["next"]
    digest = host.push("web", "2", version="2", health=False)
    stack.wait_commit(stack.push(services(host, "2")))
    assert stack.running_digest("web") == [digest]
    assert [r["outcome"] for r in stack.releases()] == ["good", "good"]


def test_an_operator_need_not_wait_for_the_image_that_a_deployment_waits_for(host):
    stack = shop(host, images={"interval": "1s", "wait": "10m"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.push("web", "2", version="2", health=False)
    stack.wait_commit(stack.push(services(host, "2")))
    stack.push(services(host, "later"))
    stack.wait_state("waiting")

    def deploy_that_waits():
        code, body = host.post("/v1/stacks/shop/deploy")
        assert code == 202, body
        host.wait(lambda: stack.status()["state"] == "waiting", "it waits for its image")
        stack.wait_polls(2)
        assert stack.status()["state"] == "waiting"
    deploy_that_waits()
    host.trimtab("rollback", "shop", "--wait")
    assert stack.version("web") == "1"
    deploy_that_waits()
    host.trimtab("pause", "shop")
    host.push("web", "later", version="3", health=False)
    stack.wait_polls(3)
    assert stack.version("web") == "1" and stack.status()["state"] == "paused"
    host.trimtab("resume", "shop")
    stack.wait_outcome(3, "good")
    assert stack.version("web") == "3"


def test_a_request_that_is_only_looked_at_gives_way_to_a_newer_one(host):
    stack = shop(host, images={"interval": "1s", "wait": "10m"})
    rendering = host.renderings_to_hold()
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.push("web", "2", version="2", health=False)
    stack.wait_commit(stack.push(services(host, "2")))
    stack.push(services(host, "later"))
    stack.wait_state("waiting")

    def ask(action):
        code, body = host.post(f"/v1/stacks/shop/{action}")
        assert code == 202, body
        return body["request"]

    with host.events("shop") as events:
        def wait_end(request):
            return events.wait(
                lambda e: e["event"] == "finished" and e["request"] == request)["outcome"]

        # It waits for its image, and whether that has come is looked at just now.
        first = ask("deploy")
        stack.wait_polls(2)
        with rendering():
            second = ask("rollback")
            assert wait_end(first) == "superseded"
            # Nor has this one begun.
            third = ask("rollback")
            assert wait_end(second) == "superseded"
            request = stack.status()["last_request"]
            assert (request["id"], request["outcome"]) == (third, "in_progress")
        assert wait_end(third) == "done"
        assert stack.version("web") == "1"
        ends = [e["request"] for e in events.seen if e["event"] == "finished"]
        assert ends == [first, second, third]


class GuardedRegistry:
    """A registry behind nginx, as many are, with one user, ana."""

    def __init__(self, folder):
        self.upstream = real.Registry(folder / "registry")
        self.folder = folder / "nginx"
        self.folder.mkdir()
        self.users = self.folder / "users"
        self.users.write_text("")
        self.port = real.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.nginx = real.Process(
            "nginx", ["nginx", "-e", "stderr", "-c", self.folder / "nginx.conf"], self.folder)

    def allow(self, password):
        """From now on this password alone."""
        subprocess.run(["htpasswd", "-c", "-B", "-C", "4", "-b", self.users, "ana", password],
                       check=True, capture_output=True)

    def start(self):
        self.upstream.start()
        folder = self.folder
        (folder / "nginx.conf").write_text(f"""
            user root; worker_processes 1; daemon off; pid {folder}/pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{
              access_log {folder}/access combined; client_max_body_size 0;
              client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
              fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
              server {{
                listen {self.address};
                location / {{
                  auth_basic team; auth_basic_user_file {self.users};
                  proxy_set_header Host $http_host; proxy_pass http://{self.upstream.address};
                }}
              }}
            }}""")
        self.nginx.start()
        self.nginx.wait_until(
            lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None,
            "nginx listens")

    def stop(self):
        self.nginx.stop()
        self.upstream.stop()


@pytest.fixture
def guarded(tmp_path):
    registry = GuardedRegistry(tmp_path)
    registry.allow("first")
    registry.start()
    yield registry
    registry.stop()


def test_a_login_that_is_refused_is_told_and_counts_as_soon_as_it_is_replaced(make_host, guarded):
    host = make_host(registry=guarded.upstream)
    config = pathlib.Path(host.daemon_settings["docker"]["config"])
    original = json.loads(config.read_text()) if config.exists() else {}

    def log_in(password):
        auth = base64.b64encode(f"ana:{password}".encode()).decode()
        config.write_text(json.dumps({**original, "auths": {guarded.address: {"auth": auth}}}))
    log_in("first")
    host.push("web", "latest", version="1", health=False)
    stack = host.stack("shop", services(host, at=guarded.address), images={"interval": "1s"},
                       gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    # The password is changed at the registry, and here later.
    guarded.allow("second")
    digest = host.push("web", "latest", version="2", health=False)

    def errors():
        return [item["error"] for item in stack.status()["images"]["errors"]]
    host.wait(lambda: any("refuses" in error for error in errors()), "it is told")
    assert "docker login" in str(errors()) and "first" not in str(stack.status())
    assert stack.instances() == before
    # Half written: what was read before stays in use, and it is no crash.
    whole = config.read_text()
    config.write_text(whole[:len(whole) // 2])
    look_now(stack)
    host.wait(lambda: "the logins read before stay in use" in host.log.read_text(), "a warning")
    log_in("second")
    look_now(stack)
    host.wait(lambda: stack.running_digest("web") == [digest], "the new image runs", 90)
    assert errors() == []
    log = host.log.read_text()
    assert log.count("refuses host") == log.count("answers again") == 1
    assert "second" not in log


def test_a_login_that_ends_in_the_middle_of_a_pull_is_made_anew(make_host, guarded):
    host = make_host(registry=guarded.upstream)
    secret = host.folder / "secret"
    secret.write_text("first")
    programs = host.folder / "programs"
    programs.mkdir()
    helper = programs / "docker-credential-vault"
    helper.write_text("#!/bin/sh\ncat >/dev/null\n"
                      f'printf \'{{"Username": "ana", "Secret": "%s"}}\' "$(cat {secret})"\n')
    helper.chmod(0o755)
    host.environment["PATH"] = f"{programs}:{host.environment.get('PATH', real.SYSTEM_PATH)}"
    host.push("web", "latest", version="1", health=False)
    host.push("web", "2", version="mid-pull", health=False, filler=5_000_000)
    cutter = Cutter(guarded, limit=3_000_000)

    def change_password():
        guarded.allow("second")
        secret.write_text("second")
        cutter.limit = None
    cutter.on_cut = change_password
    try:
        config = pathlib.Path(host.daemon_settings["docker"]["config"])
        original = json.loads(config.read_text()) if config.exists() else {}
        config.write_text(json.dumps({**original, "credHelpers": {
            guarded.address: "vault", cutter.address: "vault"}}))
        stack = host.stack("shop", services(host, at=guarded.address),
                           gate={"timeout": "20s", "stable": "300ms"})
        host.start()
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        stack.wait_commit(stack.push(services(host, "2", at=cutter.address)), 120)
    finally:
        cutter.close()
    assert cutter.cuts == 1
    assert stack.version("web") == "mid-pull"
    assert [r["outcome"] for r in stack.releases()] == ["good", "good"]
    assert "second" not in host.log.read_text() and "first" not in host.log.read_text()


def test_a_registry_that_is_asked_too_often_is_left_alone_for_as_long_as_it_asks(make_host,
                                                                                 tmp_path):
    folder = tmp_path / "nginx"
    folder.mkdir()
    port = real.free_port()
    upstream = real.Registry(tmp_path / "registry")
    upstream.start()

    def configure(directives):
        (folder / "nginx.conf").write_text(f"""
            user root; worker_processes 1; daemon off; pid {folder}/pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{
              access_log {folder}/access combined;
              client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
              fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
              server {{ listen 127.0.0.1:{port}; location / {{ {directives} }} }}
            }}""")
    pass_on = f"proxy_set_header Host $http_host; proxy_pass http://{upstream.address};"
    configure(pass_on)
    nginx = real.Process("nginx", ["nginx", "-e", "stderr", "-c", folder / "nginx.conf"], folder)
    nginx.start()
    nginx.wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None,
                     "nginx listens")
    try:
        host = make_host(registry=upstream)
        images = {}
        for name in "a", "b", "c", "d":
            host.push(name, "latest", version="1", health=False)
            images[name] = {"image": host.image(name).replace(upstream.address,
                                                              f"127.0.0.1:{port}")}
        host.push("other", "latest", version="1", health=False)
        images["other"] = {"image": host.image("other")}
        stack = host.stack("shop", images, images={"interval": "1s"},
                           gate={"timeout": "20s", "stable": "300ms"})
        host.start()
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        configure("add_header Retry-After 600 always; return 429;")
        nginx.child.send_signal(real.signal.SIGHUP)
        access = folder / "access"

        def refusals():
            return access.read_text().count('" 429 ')
        host.wait(lambda: refusals() > 0, "it is refused")
        host.wait(lambda: len(stack.status()["images"]["errors"]) == 4, "all four wait")
        assert "asks to retry in" in str(stack.status()["images"]["errors"])
        for _ in range(5):
            look_now(stack)
        stack.wait_polls(3)
        # One question learned it for all tags of the registry, and nobody has asked since.
        assert refusals() == 1
        assert stack.status()["healthy"] == 5
        # Another registry's images are looked at as ever.
        host.push("other", "latest", version="2", health=False)
        host.wait(lambda: stack.release(2)["outcome"] == "good", "the other's image is deployed")
        assert stack.version("other") == "2" and refusals() == 1
    finally:
        nginx.stop()
        upstream.stop()
