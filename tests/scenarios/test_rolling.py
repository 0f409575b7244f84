"""Start-first rolling and reloading, behind a real nginx and under load."""

import collections
import contextlib
import http.client
import itertools
import socket
import threading
import time

import pytest

import parts as real

NGINX = """
worker_processes 2;
user nobody nogroup;
error_log stderr notice;
events {{ }}
http {{
  access_log off;
  server {{
    listen 80;
    {more}
    location / {{ proxy_pass http://api:8080; }}
  }}
}}
"""


class Load:
    """GETs and POSTs through a port, all the time, from several threads."""

    def __init__(self, port, threads=3):
        self.port = port
        self.failures = []
        self.answers = collections.Counter()
        self.running = True
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        for turn in itertools.count():
            if not self.running:
                return
            method, path, body = (("POST", "/cgi-bin/work", f"order-{number}-{turn}")
                                  if turn % 2 else ("GET", "/", None))
            begun = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                connection.request(method, path, body)
                response = connection.getresponse()
                text = response.read().decode()
                connection.close()
                good = response.status == 200 and (not body or text.split()[1:] == [body])
                if good:
                    self.answers[method, text.split()[0]] += 1
                else:
                    self.failures.append((method, response.status, text[:200]))
            except (OSError, http.client.HTTPException, IndexError) as e:
                self.failures.append((method, repr(e), f"after {time.monotonic() - begun:.2f} s"))
            time.sleep(0.01)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join(30)


@contextlib.contextmanager
def load(port):
    running = Load(port)
    try:
        yield running
    finally:
        running.stop()


def site(host, port, api="1", order="start-first", replicas=1, **more):
    update = {"deploy": {"replicas": replicas, "update_config": {"order": order}}}
    return {
        "proxy": {"image": host.image("nginx", "1"), "depends_on": ["api"],
                  "ports": [f"127.0.0.1:{port}:80"], "restart": "always",
                  "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro"]},
        "api": {"image": host.image("api", api), "restart": "always", "stop_grace_period": "5s",
                **update, **more},
    }


@pytest.fixture
def shop(host):
    """A running site, its port and stack."""
    port = real.free_port()
    host.registry.push_nginx(f"host{host.number}/nginx", "1")
    for version in "123":
        host.push("api", version, version=version)
    stack = host.stack("shop", site(host, port), {"nginx.conf": NGINX.format(more="")},
                       gate={"stable": "1s"})
    stack.port = port
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.wait(lambda: get(port) == "1", "the site answers")
    return stack


def get(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode().strip()
    connection.close()
    assert response.status == 200, (response.status, text)
    return text


def actions(stack, number):
    return {step["service"]: step["action"] for step in stack.release(number)["plan"]}


def hosts_of(stack, service):
    path = stack.container(service)["HostsPath"]
    with open(path) as file:
        return file.read()


def test_no_request_is_lost_while_a_service_is_rolled_and_rolled_back(host, shop):
    proxy = shop.instances()["proxy"]
    with load(shop.port) as running:
        for version in "23":
            shop.wait_commit(shop.push(site(host, shop.port, version), message=f"To {version}"))
            assert shop.version("api") == version
        host.trimtab("rollback", "shop", "--wait")
        assert shop.version("api") == "2"
        # The last one answers through the proxy.
        before = sum(running.answers.values())
        host.wait(lambda: sum(running.answers.values()) > before + 10, "more answers")
    assert running.failures == []
    assert {version for _, version in running.answers} == {"1", "2", "3"}
    assert {method for method, _ in running.answers} == {"GET", "POST"}
    assert actions(shop, 2) == {"api": "roll", "proxy": "none"}
    assert shop.instances()["proxy"] == proxy
    assert "trimtab" not in hosts_of(shop, "proxy")
    assert shop.status()["drift"] == []


def test_a_rolled_service_waits_for_the_job_that_it_depends_on(host):
    def services(version):
        return {
            "migrate": {"image": host.image("migrate", version)},
            "api": {"image": host.image("api", version), "restart": "always",
                    "deploy": {"update_config": {"order": "start-first"}},
                    "depends_on": {"migrate": {"condition": "service_completed_successfully"}}}}
    for version, code in (("1", 0), ("2", 0), ("3", 1)):
        host.push("migrate", version, version=version, behaviour=f"exit {code} 3", health=False)
        host.push("api", version, version=version)
    stack = host.stack("shop", services("1"), gate={"stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.wait_commit(stack.push(services("2")))
    assert actions(stack, 2) == {"api": "roll", "migrate": "recreate"}
    migrated = stack.container("migrate")["State"]["FinishedAt"]
    assert stack.container("api")["State"]["StartedAt"][:19] >= migrated[:19]
    # Where it fails, the new version is never started.
    old = stack.instances()["api"]
    stack.push(services("3"))
    release = stack.wait_outcome(3, "rolled_back")
    assert [service["service"] for service in release["failure"]["services"]] == ["migrate"]
    assert release["failure"]["phase"] == "starting" and stack.instances()["api"] == old


def test_a_new_version_that_does_not_work_goes_while_the_old_one_serves(host, shop):
    old = shop.instances()["api"]
    host.push("api", "broken", version="4", behaviour="needs-key")
    with load(shop.port) as running:
        shop.push(site(host, shop.port, "broken"), message="Needs a key")
        release = shop.wait_outcome(2, "rolled_back")
        shop.wait_state("synced", "failed", "degraded")
    assert running.failures == []
    assert {version for _, version in running.answers} == {"1"}
    assert shop.instances()["api"] == old
    log = [line for service in release["failure"]["services"] for line in service["log"]]
    assert "SECRET_KEY: field required" in "\n".join(log)


def test_a_request_that_is_being_sent_is_answered_by_who_is_there_then(host, shop):
    """nginx passes a body on when it has all of it: that may be long after its reload."""
    body = b"order-slow-1"
    with socket.create_connection(("127.0.0.1", shop.port), 60) as slow:
        slow.sendall(b"POST /cgi-bin/work HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(body) + body[:4])
        commit = shop.push(site(host, shop.port, "2"), message="Version 2")
        host.wait(lambda: "trimtab" in hosts_of(shop, "proxy"), "the proxy is pointed elsewhere")
        # Longer than a proxy is looked at that has nothing to do.
        time.sleep(8)
        slow.sendall(body[4:])
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and body in answer
    shop.wait_commit(commit)


def test_several_replicas_are_rolled_one_after_the_other(host, shop):
    with load(shop.port) as running:
        shop.wait_commit(shop.push(site(host, shop.port, "2", replicas=2), message="Two"))
        shop.wait_commit(shop.push(site(host, shop.port, "3", replicas=2), message="Three"))
        assert len(shop.containers()["api"]) == 2
    assert running.failures == []
    assert len(shop.containers()["api"]) == 2


KILL_POINTS = ["rolling:added", "rolling:pointed", "rolling:stopped"]


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_daemon_that_is_killed_goes_on_rolling(host, shop, point):
    host.stop()
    host.start(TRIMTAB_KILL_AT=point)
    with load(shop.port) as running:
        commit = shop.push(site(host, shop.port, "2"), message="Version 2")
        host.wait_killed()
        host.start()
        shop.wait_commit(commit)
    assert running.failures == []
    assert shop.version("api") == "2"
    assert "trimtab" not in hosts_of(shop, "proxy")


def test_what_an_images_own_volume_holds_stays_with_the_service(host):
    for version in "12":
        host.push("app", version, version=version, volumes=["/data"])

    def app(version):
        return {"app": {"image": host.image("app", version),
                        "deploy": {"update_config": {"order": "start-first"}}}}
    stack = host.stack("shop", app("1"), gate={"stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.execute("app", "sh", "-c", "echo precious > /data/upload")
    stack.wait_commit(stack.push(app("2")))
    assert stack.version("app") == "2"
    assert stack.execute("app", "cat", "/data/upload") == "precious"
    (step,) = stack.release(2)["plan"]
    assert (step["action"], step["risk"]) == ("recreate", "data")
    assert step["reasons"][-1] == (
        "stop-first, because its image's volume at /data stays with one container")


def test_a_service_that_does_not_ask_for_it_is_never_there_twice(host, shop):
    shop.wait_commit(shop.push(site(host, shop.port, "1", order="stop-first"), message="Order"))
    shop.wait_commit(shop.push(site(host, shop.port, "2", order="stop-first"), message="Version 2"))
    number = shop.status()["release"]
    assert actions(shop, number) == {"api": "recreate", "proxy": "reload"}
    # The proxy has its new address, without having been restarted.
    assert get(shop.port) == "2"


def test_without_memory_for_two_the_old_one_is_stopped_first(host, shop):
    huge = {"mem_reservation": "4096g"}
    shop.wait_commit(shop.push(site(host, shop.port, "1", **huge), message="Much memory"))
    shop.wait_commit(shop.push(site(host, shop.port, "2", **huge), message="Version 2"))
    release = shop.release(shop.status()["release"])
    step = next(step for step in release["plan"] if step["service"] == "api")
    assert step["action"] == "recreate"
    assert any("stop-first, because 4.4 TB of memory are needed" in why for why in step["reasons"])
    assert shop.version("api") == "2" and get(shop.port) == "2"


def test_a_proxy_takes_a_new_configuration_without_a_restart(host, shop):
    proxy = shop.instances()["proxy"]
    more = "location = /new { return 200 'new'; }"
    with load(shop.port) as running:
        shop.wait_commit(shop.push(None, {"nginx.conf": NGINX.format(more=more)}, "A new page"))
        host.wait(lambda: get(shop.port, "/new") == "new", "the new page")
    assert running.failures == []
    assert actions(shop, 2)["proxy"] == "reload"
    assert shop.instances()["proxy"] == proxy


def test_a_broken_configuration_of_the_proxy_is_refused_in_its_own_words(host, shop):
    before = shop.instances()
    shop.push(None, {"nginx.conf": NGINX.format(more="lissten 81;")}, "A slip")
    release = shop.wait_outcome(2, "rejected")
    assert 'unknown directive "lissten"' in release["failure"]["reason"]
    assert release["failure"]["cause"] == "release"
    assert (shop.directory / "nginx.conf").read_text() == NGINX.format(more="")
    assert shop.instances() == before
    assert host.engine.docker("ps", "-aq", "--filter", "name=trimtab[.]") == ""
    more = "location = /new { return 200 'new'; }"
    shop.wait_commit(shop.push(None, {"nginx.conf": NGINX.format(more=more)}, "Mend"))
    assert get(shop.port, "/new") == "new"


def test_a_broken_configuration_is_refused_before_the_proxy_is_replaced(host, shop):
    before = shop.instances()
    services = site(host, shop.port)
    services["proxy"]["environment"] = {"ZONE": "new"}
    shop.push(services, {"nginx.conf": NGINX.format(more="lissten 81;")}, "A slip and a zone")
    release = shop.wait_outcome(2, "rejected")
    assert 'unknown directive "lissten"' in release["failure"]["reason"]
    assert shop.instances() == before and get(shop.port) == "1"


def test_a_broken_file_that_is_new_in_a_mounted_folder_is_not_tried_again(host, shop):
    services = site(host, shop.port)
    services["proxy"]["volumes"].append("./sites:/etc/nginx/sites:ro")
    shop.wait_commit(shop.push(
        services, {"sites/first.conf": "", "nginx.conf": NGINX.format(
            more="include /etc/nginx/sites/*.conf;")}, "A folder"))
    services["api"]["image"] = host.image("api", "2")
    shop.push(services, {"sites/second.conf": "lissten 81;\n"}, "A slip")
    release = shop.wait_outcome(3, "rolled_back")
    assert release["failure"]["cause"] == "release"
    assert 'unknown directive "lissten"' in release["failure"]["reason"]
    assert shop.wait_state("failed")["release"] == 2
    assert get(shop.port) == "1" and shop.version("api") == "1"
    assert not (shop.directory / "sites/second.conf").exists()


def test_a_service_whose_mounted_file_changes_is_rolled(host, shop):
    mounted = {"volumes": ["./greeting:/greeting:ro"]}
    shop.wait_commit(shop.push(site(host, shop.port, **mounted), {"greeting": "one"}, "Mount"))
    with load(shop.port) as running:
        shop.wait_commit(shop.push(None, {"greeting": "two"}, "Another greeting"))
    assert running.failures == []
    assert actions(shop, 3)["api"] == "roll"
    assert shop.execute("api", "cat", "/greeting") == "two"
# ---- Proxies that ask Docker's DNS at each request, and keep the answer for a time

RESOLVING = NGINX.replace("proxy_pass http://api:8080;",
                          "set $api http://api:8080; proxy_pass $api;")


# Without `valid` the answer is kept as long as Docker says, which is ten minutes.
@pytest.mark.parametrize("valid", ["valid=2s", ""])
def test_no_request_is_lost_behind_a_proxy_that_resolves_at_request_time(host, shop, valid):
    resolver = f"resolver 127.0.0.11 {valid} ipv6=off;"
    shop.wait_commit(shop.push(None, {"nginx.conf": RESOLVING.format(more=resolver)}, "Resolve"))
    with load(shop.port) as running:
        for version in "23":
            shop.wait_commit(shop.push(site(host, shop.port, version), message=f"To {version}"))
        host.trimtab("rollback", "shop", "--wait")
        assert shop.version("api") == "2"
        before = sum(running.answers.values())
        host.wait(lambda: sum(running.answers.values()) > before + 10, "more answers")
    assert running.failures == []
    assert {version for _, version in running.answers} == {"1", "2", "3"}
    assert "may fail" not in host.log.read_text(), "the kernel refuses nothing"
