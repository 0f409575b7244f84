"""Networks as hosts have them: IPv6 alone, addresses that are silent, proxies."""

import http.server
import importlib.machinery
import importlib.util
import pathlib
import select
import shutil
import socket
import socketserver
import subprocess
import threading

import parts as real
import pytest

LIB = pathlib.Path(real.__file__).parent
GATE = {"timeout": "20s", "stable": "300ms"}


@pytest.fixture
def names(tmp_path):
    """A function that says which names the host knows: names("::1 localhost"); for all that runs in
    this mount namespace, the Engine included."""
    hosts = tmp_path / "hosts"
    hosts.write_text(pathlib.Path("/etc/hosts").read_text())
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    yield lambda *lines: hosts.write_text("\n".join(lines) + "\n")
    subprocess.run(["umount", "/etc/hosts"], check=True)


@pytest.fixture
def trusted():
    """A function that has the Engine and the daemon trust a CA for a registry."""
    folder = pathlib.Path("/etc/docker")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)

    def trust(registry, certificate):
        (folder / "certs.d" / registry).mkdir(parents=True)
        shutil.copy(certificate, folder / "certs.d" / registry / "ca.crt")
    yield trust
    subprocess.run(["umount", folder], check=True)


def make_certificates(folder):
    script = LIB / "registry_servers"
    loader = importlib.machinery.SourceFileLoader("registry_servers", str(script))
    servers = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("registry_servers", loader))
    loader.exec_module(servers)
    servers.make_certificates(folder)


def test_a_registry_with_a_ca_of_its_own_on_a_host_that_has_ipv6_alone(make_host, names, trusted,
                                                                      tmp_path):
    names("::1 six.test")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
        port = probe.getsockname()[1]
    make_certificates(tmp_path)
    registry = real.Registry(tmp_path / "registry", port, "[::1]", tmp_path)
    registry.start()
    try:
        registry.address = f"six.test:{port}"
        trusted(registry.address, tmp_path / "ca.crt")
        host = make_host(registry=registry)
        host.push("web", health=False)
        stack = host.stack("shop", {"web": {"image": host.image("web")}}, gate=GATE,
                           images={"interval": "1s"})
        host.start()
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        digest = host.push("web", version="2", health=False)
        host.wait(lambda: stack.running_digest("web") == [digest], "the new image runs")
    finally:
        registry.stop()


@pytest.fixture
def lan():
    """An address of this host that is not loopback."""
    for command in ("link add lan0 type veth peer name lan1", "addr add 10.98.0.1/24 dev lan0",
                    "link set lan0 up", "link set lan1 up"):
        subprocess.run(["ip", *command.split()], check=True)
    yield "10.98.0.1"
    subprocess.run(["ip", "link", "del", "lan0"], check=True)


@pytest.mark.parametrize("insecure", ["10.98.0.1:5000", "10.98.0.0/24"])
def test_a_registry_that_is_insecure_for_the_engine_is_so_for_the_daemon(make_host, lan, names,
                                                                         tmp_path, insecure):
    # By a name too, whose address lies in a network that is insecure.
    names("127.0.0.1 localhost", f"{lan} plain.test")
    name = lan if insecure.endswith(":5000") else "plain.test"
    registry = real.Registry(tmp_path / "registry", 5000, lan)
    engine = real.Engine(tmp_path / "docker", "--insecure-registry", insecure)
    registry.start()
    engine.start()
    try:
        registry.address = f"{lan}:5000"
        host = make_host(registry=registry, engine=engine)
        host.push("web", health=False)
        image = host.image("web").replace(lan, name)
        stack = host.stack("shop", {"web": {"image": image}}, gate=GATE, images={"interval": "1s"})
        host.start()
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        digest = host.push("web", version="2", health=False)
        host.wait(lambda: stack.running_digest("web") == [digest], "the new image runs")
        host.close()
    finally:
        engine.close()
        registry.stop()


def test_an_address_that_is_silent_delays_the_next_by_a_moment(host, names):
    """As IPv6 is that a provider announces and does not carry."""
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)
    ip("link", "add", "silent0", "type", "veth", "peer", "name", "silent1")
    try:
        ip("link", "set", "silent0", "up")
        ip("link", "set", "silent1", "up")
        ip("-6", "addr", "add", "2001:db8:99::1/64", "dev", "silent0", "nodad")
        ip("addr", "add", "10.99.0.1/24", "dev", "silent0")
        names("127.0.0.1 localhost", "2001:db8:99::2 two.test", "10.99.0.1 two.test")
        first = socket.getaddrinfo("two.test", 80, type=socket.SOCK_STREAM)[0]
        assert first[4][0] == "2001:db8:99::2"
        port = real.free_port("10.99.0.1")
        host.push("web", health=False)
        service = {"image": host.image("web"), "ports": [f"10.99.0.1:{port}:8080"]}
        stack = host.stack("shop", {"web": service},
                           gate={**GATE, "probe": [{"url": f"http://two.test:{port}/"}]})
        host.start()
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        assert [release["outcome"] for release in stack.releases()] == ["good"]
    finally:
        ip("link", "del", "silent0")


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """An HTTP proxy for https, with a login. Every name is this host."""

    daemon_threads = True

    def __init__(self, credentials):
        self.authorization = "Basic " + credentials
        self.asked = []
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # git asks without its password first, on the same connection

    def do_CONNECT(self):
        self.server.asked.append((self.path, self.headers.get("User-Agent", "")))
        if self.headers.get("Proxy-Authorization") != self.server.authorization:
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.close_connection = True
        port = int(self.path.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as server:
            self.send_response_only(200)
            self.end_headers()
            ends = {self.connection: server, server: self.connection}
            while ends:
                for end in select.select(list(ends), [], [])[0]:
                    piece = end.recv(65536)
                    if not piece:
                        return
                    ends[end].sendall(piece)

    def log_message(self, *_):
        pass


def test_a_repository_that_only_a_proxy_reaches(host, git_servers):
    proxy = Proxy("YW5hOnNlY3JldA==")  # ana:secret
    host.push("web", health=False)
    stack = host.stack("shop", {"web": {"image": host.image("web")}}, gate=GATE)
    git_servers.serve(stack)
    port = git_servers["HTTPS_OPEN"].split(":")[2].split("/")[0]
    url = git_servers["HTTPS_OPEN"].replace("127.0.0.1", "git.example.org")
    stack.settings["git"].update(url=f"{url}/shop.git", ca_file=git_servers["CA_FILE"])
    # Without its password it says so, and which proxy it is.
    host.daemon_settings["proxy"] = {"https": f"http://127.0.0.1:{proxy.port}"}
    host.start()
    host.wait(lambda: f"the proxy 127.0.0.1:{proxy.port}" in stack.status()["reason"], "it is told")
    host.stop()
    # A password belongs into the environment, as for curl and git.
    del host.daemon_settings["proxy"]
    host.start(https_proxy=f"http://ana:secret@127.0.0.1:{proxy.port}")
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert {target for target, _ in proxy.asked} == {f"git.example.org:{port}"}
    assert stack.status()["git"]["transport"] == "https, protocol 2"
    assert "secret" not in host.log.read_text() + str(stack.status())
    host.stop()
    # A host that is excepted is asked without; nobody here knows its name.
    count = len(proxy.asked)
    host.start(https_proxy=f"http://ana:secret@127.0.0.1:{proxy.port}", no_proxy="example.org")
    host.wait(lambda: "git.example.org" in stack.status()["reason"], "it is not found")
    assert len(proxy.asked) == count
