"""Fixtures of the tests on whole hosts. `-m bookworm` runs those on that release alone."""

import os
import pathlib
import signal
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import debian_host  # noqa: E402
import parts as real  # noqa: E402


def pytest_configure(config):
    for release in real.RELEASES:
        config.addinivalue_line("markers", f"{release}: runs on a host with that release of Debian")
    # Hosts are closed then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def network():
    network = debian_host.Network()
    yield network
    network.close()


@pytest.fixture(scope="session")
def forge(network, tmp_path_factory):
    """A Git server and a registry that every host reaches and trusts."""
    forge = debian_host.Forge(tmp_path_factory.mktemp("forge"), network)
    yield forge
    forge.close()


@pytest.fixture(scope="session")
def deb():
    """The package, as packaging/build-deb made it."""
    folder = pathlib.Path(os.environ.get("TRIMTAB_DEB", ROOT / "build/deb"))
    packages = sorted(folder.glob("trimtab_*_amd64.deb"))
    assert packages, f"{folder} holds no package; packaging/build-deb makes it"
    return packages[-1]


@pytest.fixture(params=[pytest.param(release, marks=getattr(pytest.mark, release))
                        for release in real.RELEASES])
def release(request):
    """Each release of Debian in turn."""
    return request.param


def close_all(hosts):
    """Every host is closed, whatever the first one says."""
    errors = []
    for host in hosts:
        try:
            host.close()
        except Exception as e:
            errors.append(e)
    if errors:
        raise errors[0]


@pytest.fixture
def make_debian(request, network, forge):
    """A function that makes hosts that are still off: make_debian("trixie")."""
    request.node.debians = []
    with tempfile.TemporaryDirectory(prefix="trimtab-hosts-") as folder:

        def make(release):
            number = len(request.node.debians) + 1
            host = debian_host.DebianHost(f"{folder}/{number}", release, network)
            request.node.debians.append(host)
            host.trust(forge.ca_file)
            return host

        yield make
        close_all(request.node.debians)


@pytest.fixture
def debian(make_debian, release):
    """A booted host of each release in turn."""
    host = make_debian(release)
    host.boot()
    return host


@pytest.fixture(scope="module")
def make_running(network, forge):
    """A function that gives the module's host of a release, which the first who asks has booted."""
    hosts = {}
    with tempfile.TemporaryDirectory(prefix="trimtab-hosts-") as folder:

        def make(release):
            if release not in hosts:
                hosts[release] = debian_host.DebianHost(f"{folder}/{release}", release, network)
                hosts[release].trust(forge.ca_file)
                hosts[release].boot()
            return hosts[release]

        yield make
        close_all(hosts.values())


@pytest.fixture
def running(request, make_running, release):
    """A booted host of each release in turn that has other tests, too: for those that leave it as
    they find it, of whose time a boot would be the most.
    """
    host = make_running(release)
    request.node.debians = [host]
    return host


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its hosts' journals."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for host in getattr(item, "debians", []):
            # The files of a host that is off or hangs can still be read.
            report.sections.append((f"journal of {host.name}", host.last_journal()))
