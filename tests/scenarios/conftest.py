"""Fixtures of the scenarios: whole programs on real parts."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

LIB = pathlib.Path(__file__).parents[1] / "lib"
sys.path.insert(0, str(LIB))

import parts as real  # noqa: E402
from host import Host  # noqa: E402

DEFAULT_COMPOSE = "2.26"


def pytest_configure(config):
    config.addinivalue_line("markers", "compose(version): the Compose that the host has")


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """An Engine and a registry for all tests of the run."""
    with real.Parts(tmp_path_factory.mktemp("parts")) as parts:
        yield parts


@pytest.fixture
def own_engine():
    """An Engine of the test's own, to stop and kill. Name it before `host` or `make_host`."""
    with tempfile.TemporaryDirectory(prefix="trimtab-engine-") as folder:
        engine = real.Engine(folder)
        engine.start()
        yield engine
        engine.close()


@pytest.fixture
def make_host(request, parts, tmp_path):
    """A function that makes hosts: make_host(compose="2.40", engine=…)."""
    request.node.hosts = []

    def make(compose=DEFAULT_COMPOSE, engine=None, registry=None, plugin=True):
        folder = tmp_path / f"host{len(request.node.hosts) + 1}"
        folder.mkdir()
        host = Host(folder, engine or parts.engine, registry or parts.registry, compose, plugin)
        request.node.hosts.append(host)
        return host

    yield make
    errors = []
    for host in request.node.hosts:
        try:
            host.close()
        except Exception as e:  # every host is closed, whatever the first one says
            errors.append(e)
    if errors:
        raise errors[0]


@pytest.fixture
def host(request, make_host):
    """A host, with the Compose that the test is marked with."""
    marker = request.node.get_closest_marker("compose")
    return make_host(compose=marker.args[0] if marker else DEFAULT_COMPOSE)


@pytest.fixture(params=list(real.COMPOSES))
def any_compose_host(request, make_host):
    """A host with each Compose in turn."""
    return make_host(compose=request.param)


class GitServers:
    """Git over HTTP(S) and SSH; `told` is what tests/lib/git_servers says of itself."""

    def __init__(self, told):
        self.told = told

    def __getitem__(self, name):
        return self.told[name]

    def serve(self, stack):
        """Has the stack's repository served as /shop.git; pushing to it goes on as before."""
        served = pathlib.Path(self["REPOS"]) / "shop.git"
        shutil.rmtree(served, ignore_errors=True)
        stack.origin.rename(served)
        stack.origin.symlink_to(served)


@pytest.fixture
def git_servers(tmp_path):
    with subprocess.Popen([LIB / "git_servers", tmp_path / "servers"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as child:
        told = {}
        while "READY" not in told:
            key, _, value = child.stdout.readline().strip().partition("=")
            assert key, "git_servers ended"
            told[key] = value
        yield GitServers(told)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its daemons wrote."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for host in getattr(item, "hosts", []):
            if host.log.exists():
                lines = host.log.read_text(errors="replace").splitlines()
                report.sections.append((f"trimtabd of {host.folder.name}", "\n".join(lines[-80:])))
