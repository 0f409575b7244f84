"""The real parts that trimtab is tested on: a Docker Engine, a registry, images, Compose.

As a program, `parts run COMMAND…` starts an Engine and a registry with the image `test/app`, runs
the command with their addresses in its environment and stops them again. Root trees of Debian's
releases are what hosts boot and newer Engines are taken from; `parts tree RELEASE…` makes them,
once, in the tests' cache (TRIMTAB_TEST_CACHE). Python 3.11, nothing but the standard library.
"""

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import typing

CACHE = pathlib.Path(os.environ.get("TRIMTAB_TEST_CACHE", "/var/cache/trimtab-tests"))
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where the Engine and its client are Debian's own: another one may come first in PATH.
DOCKER = "/usr/bin/docker"


class PartFailed(Exception):
    """A part did not start or work; the text says which and shows its last words."""


def wait_until(condition, what, seconds=30, pause=0.02):
    """Calls `condition` until it gives something true, and returns that.

    What it raises counts as "not yet"; after `seconds` PartFailed says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        error = None
        try:
            value = condition()
            if value:
                return value
        except (OSError, AssertionError, KeyError, IndexError, http.client.HTTPException) as e:
            error = e
        if time.monotonic() > deadline:
            raise PartFailed(f"after {seconds} s still not: {what}" + (f" ({error})" if error else ""))
        time.sleep(pause)


def free_port(address="127.0.0.1"):
    """A TCP port that nothing listens on at this address of ours right now."""
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Process:
    """A server in the foreground, its output in a file, stopped with its children."""

    def __init__(self, name, argv, folder, environment=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.environment = environment or {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
        self.child = None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=self.environment,
                                          start_new_session=True)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def stop(self, how=signal.SIGTERM, seconds=20):
        """Ends the process and returns its exit code, None where it did not run."""
        if self.child is None:
            return None
        if self.running():
            self.child.send_signal(how)
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
            raise PartFailed(f"{self.name} did not stop within {seconds} s; {self.last_words()}")
        self.child = None
        return code

    def last_words(self, lines=15):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "its last words:\n" + "\n".join(text.splitlines()[-lines:])

    def wait_until(self, condition, what, seconds=30, pause=0.02):
        """As wait_until, but gives up at once when the process has ended."""
        def alive():
            if not self.running():
                raise PartFailed(f"{self.name} ended with {self.child.poll()}; {self.last_words()}")
            return condition()
        try:
            return wait_until(alive, what, seconds, pause)
        except PartFailed as e:
            raise PartFailed(f"{self.name}: {e}\n{self.last_words()}") from None


# ---- Debian's releases --------------------------------------------------------------------------

HERE = pathlib.Path(__file__).parent

# What a host works with, and what trimtab's package depends on: a booted host reaches no mirror.
PACKAGES = ("systemd systemd-sysv dbus iproute2 iptables procps curl apparmor ca-certificates "
            "git openssh-client docker.io docker-compose").split()


class Release(typing.NamedTuple):
    """A release of Debian, and which Docker and Compose it brings."""
    short: str
    docker: str
    compose: str
    packages: list


RELEASES = {
    "bookworm": Release("d12", "20.10", "1.29.2", PACKAGES),
    # From trixie on, docker.io brings no client.
    "trixie": Release("d13", "26.1", "2.26", [*PACKAGES, "docker-cli"]),
    "forky": Release("d14", "28", "2.40", [*PACKAGES, "docker-cli"]),
}


def debian_mirror():
    """The address that this machine's apt takes Debian's packages from."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)",
         "Created-By: Packages"],
        check=True, capture_output=True, text=True, env={"PATH": SYSTEM_PATH, "LC_ALL": "C"})
    for line in targets.stdout.splitlines():
        uri, _, what = line.partition(" ")
        if what == "Debian Debian":
            return uri
    raise PartFailed("apt's sources name no mirror of Debian (or `apt-get update` has not run)")


def place_of_tree(release):
    """Where the release's root tree lies once it is made; another recipe gives another place."""
    recipe = (HERE / "make-root").read_text() + " ".join(RELEASES[release].packages)
    return CACHE / "roots" / f"{release}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def root_tree(release):
    """The release's root tree, which has been made before."""
    tree = place_of_tree(release)
    if not tree.exists():
        raise PartFailed(f"there is no root tree of {release}; make it by "
                         f"tests/lib/parts tree {release}")
    return tree


def make_root_tree(release):
    """Makes the release's tree if there is none, and returns its path. Needs the network."""
    tree = place_of_tree(release)
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        log = tree.with_name(tree.name + ".log")
        with open(log, "wb") as output:
            done = subprocess.run(
                [HERE / "make-root", release, tree, debian_mirror(), *RELEASES[release].packages],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"})
        if done.returncode != 0:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise PartFailed(f"no root tree of {release} could be made; {log} ends:\n{last}")
    return tree


# ---- The Engine ---------------------------------------------------------------------------------

OVERLAY2 = ["--storage-driver", "overlay2"]
# Which release of Debian brings it, and how it keeps images. Debian 12's runs with the machine's
# own programs and libraries, the others with those of a root tree.
ENGINES = {
    "20.10": ("bookworm", OVERLAY2),
    "26": ("trixie", OVERLAY2),
    "28": ("forky", OVERLAY2),
    # As Docker does from 29 on.
    "28-containerd": ("forky", ["--feature", "containerd-snapshotter=true"]),
}


class Engine:
    """A Docker Engine of our own: its data, socket and process ids lie in `folder`.

    `version` is one of ENGINES; `arguments`: more of dockerd's.
    """

    def __init__(self, folder, *arguments, version="20.10"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Short, since the paths of sockets in it are bounded.
        self.exec_root = tempfile.mkdtemp(prefix="trimtab-docker-", dir="/run")
        self.socket = self.folder / "docker.sock"
        self.pid_file = self.folder / "docker.pid"
        kind = subprocess.run(["stat", "-f", "-c", "%T", self.folder], check=True,
                              capture_output=True, text=True).stdout.strip()
        if kind == "overlayfs":
            raise PartFailed(f"{self.folder} lies on overlayfs, on which Docker's overlay2 driver "
                             "does not work; set TMPDIR to a folder on a disk")
        # One namespace for as long as it lives: what an Engine that was killed has left, such as
        # containerd, and the next one see the same mounts.
        self.namespace = None
        enter = []
        release, storage = ENGINES[version]
        if release != "bookworm":
            self.namespace = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c",
                 'mount --bind "$0/usr" /usr && echo mounted && exec sleep infinity',
                 root_tree(release)],
                stdout=subprocess.PIPE, text=True, env={"PATH": SYSTEM_PATH})
            if self.namespace.stdout.readline() != "mounted\n":
                raise PartFailed(f"the programs of Engine {version} could not be mounted")
            enter = ["nsenter", "--mount", f"--target={self.namespace.pid}"]
        self.process = Process(
            "dockerd",
            [*enter, "dockerd", "--data-root", self.folder / "data",
             "--exec-root", self.exec_root, "--pidfile", self.pid_file,
             "--host", f"unix://{self.socket}", *storage, *arguments],
            self.folder)

    def start(self):
        """Returns once the Engine answers."""
        # After a kill the file names a process that may be someone else's by now.
        self.pid_file.unlink(missing_ok=True)
        self.process.start()
        self.process.wait_until(lambda: self.get("/_ping")[0] == 200, "the Engine answers", 60)

    def stop(self):
        """A regular stop: containers are stopped first."""
        self.process.stop(seconds=60)

    def kill(self):
        """SIGKILL: containers go on running, as when the Engine crashes."""
        self.process.stop(signal.SIGKILL)

    @contextlib.contextmanager
    def hanging(self):
        """It takes connections meanwhile, and answers none."""
        self.process.child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.child.send_signal(signal.SIGCONT)

    def lose_power(self):
        """SIGKILL, also to all containers and what starts and holds them."""
        containers = [self.get(f"/containers/{entry['Id']}/json")[1]["State"]["Pid"]
                      for entry in self.get("/containers/json")[1]]
        self.kill()
        for stat in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            pid = int(stat.parent.name)
            with contextlib.suppress(OSError):
                # containerd and its shims: they name their socket.
                if pid in containers or f"{self.exec_root}/" in stat.read_text():
                    os.kill(pid, signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        """Stops the Engine with its containers, for good."""
        with contextlib.suppress(PartFailed, OSError):
            containers = self.docker("ps", "-aq").split()
            if containers:
                self.docker("rm", "-f", *containers)
        self.stop()
        # An Engine that was killed leaves its containerd and its mounts to the next one.
        with contextlib.suppress(OSError, ValueError):
            containerd = int((pathlib.Path(self.exec_root) / "containerd/containerd.pid").read_text())
            if f"{self.exec_root}/" in pathlib.Path(f"/proc/{containerd}/cmdline").read_text():
                os.kill(containerd, signal.SIGTERM)
                wait_until(lambda: not pathlib.Path(f"/proc/{containerd}").exists(),
                           "containerd ends")
        mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith((f"{self.folder}/", f"{self.exec_root}/")):
                subprocess.run(["umount", "--lazy", mount], check=True)
        shutil.rmtree(self.exec_root, ignore_errors=True)
        if self.namespace:
            self.namespace.kill()
            self.namespace.wait()
            self.namespace.stdout.close()

    def get(self, path):
        """(status, parsed JSON or text) of a GET."""
        return self.request("GET", path)

    def request(self, method, path):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(body)
        except ValueError:
            return response.status, body.decode(errors="replace")

    def docker(self, *arguments, check=True):
        """Runs Debian's docker client against this Engine and returns its standard output."""
        result = subprocess.run([DOCKER, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True,
                                env={"PATH": SYSTEM_PATH, "DOCKER_HOST": f"unix://{self.socket}"})
        if check and result.returncode != 0:
            raise PartFailed(f"docker {' '.join(map(str, arguments))}: {result.stderr.strip()}")
        return result.stdout.strip()

    def containers(self, project):
        """Inspected containers of a compose project, running or not, by service and number."""
        filters = json.dumps({"label": [f"com.docker.compose.project={project}"]})
        _, listed = self.get(f"/containers/json?all=1&filters={quote(filters)}")
        inspected = []
        for entry in listed:
            status, container = self.get(f"/containers/{entry['Id']}/json")
            if status == 200:
                inspected.append(container)
        label = "com.docker.compose."
        return sorted(inspected, key=lambda c: (
            c["Config"]["Labels"].get(label + "service", ""),
            int(c["Config"]["Labels"].get(label + "container-number", "0"))))

    def remove_project(self, project):
        """Removes a compose project's containers, networks and volumes."""
        label = f"label=com.docker.compose.project={project}"
        for kind, remove in (("ps -aq", "rm -f"), ("network ls -q", "network rm"),
                             ("volume ls -q", "volume rm")):
            found = self.docker(*kind.split(), "--filter", label).split()
            if found:
                self.docker(*remove.split(), *found, check=False)


def quote(text):
    import urllib.parse
    return urllib.parse.quote(text, safe="")


# What the test image runs. BEHAVIOUR is a part of the image; an environment variable of the
# compose file overrides it, as a bad setting breaks a good image.
APP = r"""#!/bin/sh
# A container's first process gets no signal that it has no handler for.
trap 'exit 0' TERM INT
set -f
set -- $BEHAVIOUR
echo "version $VERSION, $BEHAVIOUR"
if [ -d /data ]; then echo "$VERSION" >> /data/starts; fi
nap() { sleep "$1" & wait $!; }
case $1 in
  job) echo "job done"; exit "${2:-0}" ;;
  exit) nap "$3"; echo "exiting with $2"; exit "$2" ;;
  needs-key)
    if [ -z "$SECRET_KEY" ]; then
      echo "Traceback (most recent call last):" >&2
      echo "SECRET_KEY: field required" >&2
      exit 1
    fi ;;
  ignores-term) trap '' TERM ;;
esac
mkdir -p /www/cgi-bin
echo "$VERSION" > /www/index.html
# Takes a moment and a body, as what changes something does.
cat > /www/cgi-bin/work <<'END'
#!/bin/sh
body=$(head -c "${CONTENT_LENGTH:-0}")
sleep 0.05
printf 'Content-Type: text/plain\r\n\r\n%s %s\n' "$VERSION" "$body"
END
chmod +x /www/cgi-bin/work
env | sort > /www/env
ln -sf /data /www/data
httpd -p 8080 -h /www
case $1 in
  unhealthy) ;;
  slow) nap "$2"; echo ok > /www/healthz ;;
  ends)
    echo ok > /www/healthz
    while [ ! -e /tmp/end ]; do nap 0.2; done
    echo "ending with $2"
    exit "$2" ;;
  turns-unhealthy) echo ok > /www/healthz; nap "$2"; rm /www/healthz; echo "health lost" ;;
  *) echo ok > /www/healthz ;;
esac
echo ready
while :; do nap 3600; done
"""


class Registry:
    """Debian's docker-registry, deletion allowed: on loopback by plain HTTP, or on another address
    by TLS, `certificates` being a folder with server.crt, server.key and ca.crt.
    """

    def __init__(self, folder, port=None, address="127.0.0.1", certificates=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port(address)
        self.address = f"{address}:{self.port}"
        self.tls = None
        settings = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")},
                        "delete": {"enabled": True}},
            "http": {"addr": self.address, "secret": "of no use outside a test"},
        }
        if certificates:
            settings["http"]["tls"] = {"certificate": f"{certificates}/server.crt",
                                       "key": f"{certificates}/server.key"}
            self.tls = ssl.create_default_context(cafile=f"{certificates}/ca.crt")
        config = self.folder / "registry.yml"
        config.write_text(json.dumps(settings))  # JSON is YAML
        self.process = Process("docker-registry", ["docker-registry", "serve", config],
                               self.folder)
        self.base_layers = None

    def start(self):
        """Returns once the registry answers."""
        self.process.start()
        self.process.wait_until(lambda: self.request("GET", "/v2/")[0] == 200,
                                "the registry answers")

    def stop(self):
        self.process.stop()

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body) of one exchange."""
        if self.tls:
            connection = http.client.HTTPSConnection(self.address, timeout=30, context=self.tls)
        else:
            connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def push_blob(self, name, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status, _, _ = self.request("HEAD", f"/v2/{name}/blobs/{digest}")
        if status != 200:
            status, headers, body = self.request("POST", f"/v2/{name}/blobs/uploads/")
            assert status == 202, (status, body)
            location = headers["Location"]
            location = location[location.index("/v2/"):]
            joint = "&" if "?" in location else "?"
            status, _, body = self.request(
                "PUT", f"{location}{joint}digest={quote(digest)}", data,
                {"Content-Type": "application/octet-stream"})
            assert status == 201, (status, body)
        return digest

    def push_image(self, name, tag, version="1", behaviour="serve", health=True,
                   architecture="amd64", filler=0, environment=(), volumes=()):
        """Pushes a variant of the test image and returns its digest.

        It serves its version on port 8080 (`/`, `/healthz`, `/env`, `/data/`) and notes each start
        in /data/starts where a volume is mounted at /data. `behaviour` is one of:
        serve · unhealthy · slow SECONDS · turns-unhealthy SECONDS · exit CODE SECONDS ·
        ends CODE (once /tmp/end is there) ·
        needs-key (dies with a log line unless SECRET_KEY is set) · job CODE · ignores-term.
        `filler` adds so many bytes that no compression makes smaller; `environment` more variables
        ("NAME=VALUE"); `volumes` folders that the image declares as such.
        """
        if self.base_layers is None:
            busybox = pathlib.Path("/bin/busybox").read_bytes()
            applets = subprocess.run(["/bin/busybox", "--list"], check=True, capture_output=True,
                                     text=True).stdout.split()
            links = {f"bin/{a}": "busybox" for a in applets if a != "busybox"}
            self.base_layers = [layer({"bin/busybox": busybox}, links),
                                layer({"app": APP.encode()}, {}, folders=("tmp", "etc"))]
        layers = list(self.base_layers)
        layers.append(layer({"etc/version": f"{version}\n".encode()}, {}))
        if filler:
            layers.append(layer({"filler": os.urandom(filler)}, {}))
        settings = {"Cmd": ["/bin/sh", "/app"], "WorkingDir": "/", "ExposedPorts": {"8080/tcp": {}},
                    "Env": ["PATH=/bin", f"VERSION={version}", f"BEHAVIOUR={behaviour}",
                            *environment]}
        if volumes:
            settings["Volumes"] = {folder: {} for folder in volumes}
        if health:
            settings["Healthcheck"] = {
                "Test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"],
                "Interval": 1_000_000_000, "Timeout": 10_000_000_000, "Retries": 3,
                "StartPeriod": 2_000_000_000}
        return self.push_layers(name, tag, layers, settings, architecture)

    def push_nginx(self, name, tag):
        """Pushes an image with this machine's nginx, which reads /etc/nginx/nginx.conf."""
        program = pathlib.Path("/usr/sbin/nginx")
        linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        files = {str(program)[1:]: program.read_bytes(),
                 "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
                 "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
                 "etc/nsswitch.conf": b"hosts: files dns\n"}
        for word in linked.split():
            if word.startswith("/"):
                files[word[1:]] = pathlib.Path(word).read_bytes()
        folders = ("run", "tmp", "etc", "var/log/nginx", "var/lib/nginx")
        settings = {"Cmd": ["/usr/sbin/nginx", "-g", "daemon off;"], "ExposedPorts": {"80/tcp": {}},
                    "Env": ["PATH=/usr/sbin"]}
        return self.push_layers(name, tag, [layer(files, {}, folders)], settings)

    def push_layers(self, name, tag, layers, settings, architecture="amd64"):
        """Pushes an image of these layers, as of `layer()`, and returns its digest."""
        config = json.dumps({
            "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": settings,
            "rootfs": {"type": "layers",
                       "diff_ids": ["sha256:" + hashlib.sha256(t).hexdigest() for t, _ in layers]},
        }).encode()
        docker_type = "application/vnd.docker."
        manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": docker_type + "distribution.manifest.v2+json",
            "config": {"mediaType": docker_type + "container.image.v1+json", "size": len(config),
                       "digest": self.push_blob(name, config)},
            "layers": [{"mediaType": docker_type + "image.rootfs.diff.tar.gzip", "size": len(z),
                        "digest": self.push_blob(name, z)} for _, z in layers],
        }).encode()
        return self.push_manifest(name, tag, manifest,
                                  docker_type + "distribution.manifest.v2+json")

    def push_manifest(self, name, tag, manifest, media_type):
        status, headers, body = self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest,
                                             {"Content-Type": media_type})
        assert status == 201, (status, body)
        return headers["Docker-Content-Digest"]

    def remove_manifest(self, name, digest):
        """Removes a manifest with every tag that names it."""
        status, _, body = self.request("DELETE", f"/v2/{name}/manifests/{digest}")
        assert status == 202, (status, body)

    def requests_logged(self, text):
        """How many lines of the registry's log hold `text`, e.g. 'HEAD /v2/test/app/'."""
        return self.process.log.read_text(errors="replace").count(text)


def layer(files, links, folders=()):
    """(tar, gzipped tar) with files {path: bytes} and symbolic links, the same bytes each time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return plain.getvalue(), gzip.compress(plain.getvalue(), 6, mtime=0)


# ---- Compose ------------------------------------------------------------------------------------

# Debian 12 has docker-compose 1.29.2; newer ones are programs that run on it as they are, out of
# the packages of later suites.
COMPOSES = {"1.29": "bookworm", "2.26": "trixie", "2.40": "forky"}


def download_package(suite, package, target):
    """Downloads the newest version of a package of a Debian suite and unpacks it into `target`.

    Apt's own lists and sources stay as they are.
    """
    with tempfile.TemporaryDirectory(prefix="trimtab-apt-") as scratch:
        scratch = pathlib.Path(scratch)
        for folder in ("state/lists/partial", "cache/archives/partial", "etc"):
            (scratch / folder).mkdir(parents=True)
        (scratch / "state/status").touch()
        (scratch / "etc/sources.list").write_text(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
            f"{debian_mirror()} {suite} main\n")
        options = []
        for option in (f"Dir::Etc={scratch}/etc", f"Dir::State={scratch}/state",
                       f"Dir::State::status={scratch}/state/status",
                       f"Dir::Cache={scratch}/cache", "Acquire::Languages=none",
                       "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
                       "APT::Sandbox::User=root"):
            options += ["-o", option]
        for command in (["update", "-qq"], ["download", "-qq", package]):
            done = subprocess.run(["apt-get", *options, *command], cwd=scratch,
                                  capture_output=True, text=True,
                                  env={"PATH": SYSTEM_PATH, "LC_ALL": "C"})
            if done.returncode != 0:
                raise PartFailed(f"apt-get {command[0]} for {suite}: {done.stderr.strip()}")
        deb = next(scratch.glob("*.deb"))
        unpacked = scratch / "unpacked"
        subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(unpacked, target)


def compose_program(version):
    """The program of a Compose of COMPOSES, downloaded on first use."""
    if version == "1.29":
        return pathlib.Path("/usr/bin/docker-compose")
    folder = CACHE / "compose" / version
    program = folder / "usr/libexec/docker/cli-plugins/docker-compose"
    if not program.exists():
        download_package(COMPOSES[version], "docker-compose", folder)
        if not program.exists():
            raise PartFailed(f"{COMPOSES[version]}'s docker-compose has no {program.name} plugin")
    return program


def install_compose(folder, version, plugin=True):
    """Makes `folder` hold Docker's client and one Compose, and returns the environment for it.

    A folder `bin` with exactly these programs comes first in PATH, `config` is DOCKER_CONFIG; with
    `plugin` a Compose 2 is `docker compose`, without it `docker-compose`.
    """
    folder = pathlib.Path(folder)
    programs, config = folder / "bin", folder / "config"
    plugins = config / "cli-plugins"
    shutil.rmtree(programs, ignore_errors=True)
    shutil.rmtree(plugins, ignore_errors=True)
    programs.mkdir(parents=True)
    plugins.mkdir(parents=True)
    (programs / "docker").symlink_to(DOCKER)
    if version != "1.29" and plugin:
        (plugins / "docker-compose").symlink_to(compose_program(version))
    else:
        (programs / "docker-compose").symlink_to(compose_program(version))
    return {"PATH": f"{programs}:{SYSTEM_PATH}", "DOCKER_CONFIG": str(config)}


# ---- All together -------------------------------------------------------------------------------

class Parts:
    """An Engine and a registry that work together, in one folder."""

    def __init__(self, folder, engine="20.10"):
        self.folder = pathlib.Path(folder)
        self.engine = Engine(self.folder / "docker", version=engine)
        self.registry = Registry(self.folder / "registry")

    def __enter__(self):
        try:
            self.registry.start()
            self.engine.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.engine.close()
        self.registry.stop()


def run_with_parts(engine, command):
    with tempfile.TemporaryDirectory(prefix="trimtab-parts-") as folder, \
            Parts(folder, engine) as parts:
        parts.registry.push_image("test/app", "1", version="1")
        parts.registry.push_image("test/app", "2", version="2")
        for number in range(1, 6):
            parts.registry.push_image("test/conformance", str(number),
                                      version=f"conformance {number}", health=False)
        environment = dict(os.environ)
        environment["TRIMTAB_TEST_DOCKER_SOCKET"] = str(parts.engine.socket)
        environment["TRIMTAB_TEST_REGISTRY"] = parts.registry.address
        for version in COMPOSES:
            name = "TRIMTAB_TEST_COMPOSE_" + version.replace(".", "_")
            environment[name] = str(compose_program(version))
        return subprocess.run(command, env=environment).returncode


USAGE = """usage: parts run COMMAND [ARGUMENT…]         with an Engine and a registry
       parts run-on ENGINE COMMAND [ARGUMENT…]   the same with another Engine
       parts fetch VERSION…                      downloads these Composes
       parts tree RELEASE…                       makes root trees of these releases of Debian"""


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        match arguments:
            case ["run", _, *_]:
                return run_with_parts("20.10", arguments[1:])
            case ["run-on", engine, _, *_] if engine in ENGINES:
                return run_with_parts(engine, arguments[2:])
            case ["fetch", *versions] if versions and set(versions) <= set(COMPOSES):
                for version in versions:
                    print(compose_program(version))
            case ["tree", *releases] if releases and set(releases) <= set(RELEASES):
                for release in releases:
                    print(make_root_tree(release))
            case _:
                print(USAGE, file=sys.stderr)
                return 2
        return 0
    except PartFailed as e:
        print(f"parts: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
