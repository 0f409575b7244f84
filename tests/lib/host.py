"""A host as trimtab sees one: its daemon, stacks in Git, and the Engine and registry of parts.py."""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import parts as real

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("TRIMTAB_BUILD", ROOT / "build/dev"))
# Between two looks at what stays, in seconds: each costs a daemon under AddressSanitizer a
# millisecond.
SELDOM = 0.1
numbers = itertools.count(1)


class Host:
    """One daemon with a configuration, a state and a socket of its own.

    Nothing of it is left after `close`: no process, container, network or volume.
    """

    def __init__(self, folder, engine, registry, compose="2.26", plugin=True):
        self.number = next(numbers)
        self.folder = pathlib.Path(folder)
        self.engine = engine
        self.registry = registry
        self.config = self.folder / "etc"
        self.state = self.folder / "state"
        self.socket = self.folder / "trimtab.sock"
        (self.config / "stacks.d").mkdir(parents=True)
        self.environment = {
            "HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8",
            # A sanitizer's finding ends the daemon, which a test sees in its exit code.
            "ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
        }
        (self.folder / "home").mkdir()
        self.use_compose(compose, plugin)
        self.daemon_settings = {
            "docker": {"socket": str(engine.socket),
                       "config": str(self.folder / "tools/config/config.json")}}
        self.stacks = []
        self.daemon = None
        self.daemon_arguments = [
            "--config-dir", self.config, "--state-dir", self.state, "--socket", self.socket]
        self.log = self.folder / "trimtabd.log"

    def use_compose(self, version, plugin=True):
        """Which Compose the host has, from the daemon's next start on."""
        self.compose = version
        self.environment.update(real.install_compose(self.folder / "tools", version, plugin))

    def wrap_compose(self, lines):
        """Has these lines of a shell script go before each run of Compose."""
        for folder in ("tools/bin", "tools/config/cli-plugins"):
            program = self.folder / folder / "docker-compose"
            if not program.is_symlink():
                continue
            original = program.readlink()
            program.unlink()
            program.write_text(f"#!/bin/sh\n{lines}\nexec {original} \"$@\"\n")
            program.chmod(0o755)

    def record_compose(self):
        """Has each run of Compose noted; returns a function that lists them, {"argv", "stdin"}."""
        record = self.folder / "compose-runs"
        self.wrap_compose(f"echo \"$(readlink /proc/$$/fd/0) $*\" >> {record}")

        def runs():
            text = record.read_text() if record.exists() else ""
            lines = [line.split() for line in text.splitlines()]
            return [{"stdin": line[0], "argv": line[1:]} for line in lines]
        return runs

    def renderings_to_hold(self):
        """Returns a function: in its `with` a rendering is under way, held until the block ends."""
        hold, held = self.folder / "hold-renderings", self.folder / "held"
        self.wrap_compose(
            f"case \" $* \" in *\" config \"*) while [ -e {hold} ]; do\n"
            f"  touch {held}; sleep 0.1\ndone;; esac")

        @contextlib.contextmanager
        def rendering():
            held.unlink(missing_ok=True)
            hold.touch()
            try:
                self.wait(held.exists, "a rendering has begun")
                yield
            finally:
                hold.unlink()
        return rendering

    # -- images ------------------------------------------------------------------------------------

    def image(self, name, tag="latest"):
        """The reference of an image in a repository that only this host has."""
        return f"{self.registry.address}/host{self.number}/{name}:{tag}"

    def push(self, name, tag="latest", version="1", **more):
        """Pushes an image under `image(name, tag)`, see Registry.push_image; returns its digest."""
        return self.registry.push_image(f"host{self.number}/{name}", tag, version, **more)

    # -- the daemon --------------------------------------------------------------------------------

    def start(self, wait=True, **environment):
        """Starts trimtabd; with `wait` returns once it answers."""
        (self.config / "trimtab.yaml").write_text(json.dumps(self.daemon_settings))
        for stack in self.stacks:
            stack.write_settings()
        self.daemon = real.Process(
            "trimtabd", [BUILD / "trimtabd", *self.daemon_arguments], self.folder,
            {**self.environment, **environment})
        self.daemon.start()
        if wait:
            self.daemon.wait_until(lambda: self.get("/v1/status")[0] == 200, "trimtabd answers")

    def stop(self):
        """Stops the daemon as systemd would; it must end by itself, and well."""
        code = self.daemon.stop(seconds=60)
        assert code == 0, f"trimtabd ended with {code}; {self.daemon.last_words(40)}"
        self.daemon = None

    def kill(self):
        """SIGKILL, as by the kernel when memory is short."""
        self.daemon.stop(signal.SIGKILL)
        self.daemon = None

    def wait_killed(self, seconds=60):
        """Waits until the daemon ends by itself (at a kill point) and returns its exit code."""
        code = self.daemon.child.wait(seconds)
        self.daemon = None
        return code

    def reload(self):
        """Writes the settings of all stacks anew and has the daemon read them."""
        for stack in self.stacks:
            stack.write_settings()
        self.daemon.child.send_signal(signal.SIGHUP)

    # -- asking ------------------------------------------------------------------------------------

    def trimtab(self, *arguments, code=0, environment=None, timeout=120):
        """Runs the command `trimtab`; `code` is the exit code that it must have, None for any."""
        done = subprocess.run(
            [BUILD / "trimtab", *map(str, arguments)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
            env={**self.environment, "TRIMTAB_SOCKET": str(self.socket), **(environment or {})})
        assert code is None or done.returncode == code, (
            f"trimtab {' '.join(map(str, arguments))} ended with {done.returncode}, not {code}:\n"
            f"{done.stdout}{done.stderr}")
        return done

    def ask(self, *arguments, code=0):
        """What `trimtab ARGUMENTS --json` prints, parsed."""
        return json.loads(self.trimtab(*arguments, "--json", code=code).stdout)

    def get(self, path):
        """(status, JSON or text) of the daemon's socket."""
        return self._exchange("GET", path, None)

    def post(self, path, body=None):
        return self._exchange("POST", path, json.dumps(body or {}))

    def _exchange(self, method, path, body):
        connection = real.UnixConnection(self.socket)
        try:
            connection.request(method, path, body,
                               {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text.decode(errors="replace")

    def status(self, stack):
        """The stack's status, as of /v1/stacks/NAME."""
        code, body = self.get(f"/v1/stacks/{stack}")
        assert code == 200, body
        return body

    def wait(self, condition, what, seconds=60, pause=0.02):
        """Waits for a condition; the daemon must not end meanwhile."""
        return self.daemon.wait_until(condition, what, seconds, pause)

    @contextlib.contextmanager
    def events(self, stack=None):
        """The daemon's events from here on, as an `Events`."""
        stream = Events(self.socket, f"/v1/events?stack={stack}" if stack else "/v1/events")
        try:
            yield stream
        finally:
            stream.close()

    def stack(self, name, services=None, files=None, **settings):
        """Makes a stack with a Git repository; its first commit holds `services` and `files`."""
        stack = Stack(self, name, services, files or {}, settings)
        self.stacks.append(stack)
        return stack

    def close(self):
        try:
            if self.daemon is not None:
                self.stop()
        finally:
            if self.daemon is not None and self.daemon.running():
                self.kill()
            while self.stacks:
                self.engine.remove_project(self.stacks.pop().project)


class Events:
    """Server-sent events, collected in the background."""

    def __init__(self, socket, path):
        self.connection = real.UnixConnection(socket, timeout=None)
        self.connection.request("GET", path)
        self.sock = self.connection.sock  # the connection forgets it when the stream begins
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.seen = []
        self.arrived = threading.Condition()
        self.open = True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        kind = None
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            for line in self.response:
                field, _, value = line.decode().rstrip("\r\n").partition(": ")
                if field == "event":
                    kind = value
                elif field == "data":
                    with self.arrived:
                        self.seen.append({**json.loads(value), "event": kind})
                        self.arrived.notify_all()
        with self.arrived:
            self.open = False
            self.arrived.notify_all()

    def wait(self, matches, what="the event", seconds=60):
        """The first event, also one from before the call, for which `matches(event)` is true."""
        deadline = time.monotonic() + seconds
        position = 0
        with self.arrived:
            while True:
                for event in self.seen[position:]:
                    if matches(event):
                        return event
                position = len(self.seen)
                left = deadline - time.monotonic()
                if left <= 0 or not self.open:
                    why = f"after {seconds} s" if self.open else "the stream ended,"
                    raise real.PartFailed(f"{why} no {what} came; seen: {self.seen}")
                self.arrived.wait(left)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(2)
        self.thread.join(5)
        self.connection.close()


class Stack:
    """A stack: a repository to push to, settings, and what runs of it."""

    def __init__(self, host, name, services, files, settings):
        self.host = host
        self.name = name
        self.project = settings.get("project", name)
        self.directory = pathlib.Path(settings.pop("directory", host.folder / "srv" / name))
        self.origin = host.folder / "origin" / f"{name}.git"
        self.work = host.folder / "work" / name
        self.git("init", "-q", "--bare", "-b", "main", self.origin, inside=False)
        self.git("clone", "-q", self.origin, self.work, inside=False)
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        self.settings = {
            "git": {"url": str(self.origin), "ref": "main", "interval": "1s"},
            "directory": str(self.directory),
            "images": {"interval": "1s"},
            "gate": {"timeout": "30s", "stable": "2s"},
        }
        for key, value in settings.items():
            if isinstance(value, dict):
                self.settings[key] = {**self.settings.get(key, {}), **value}
            else:
                self.settings[key] = value
        if services or files:
            self.push(services, files, message="First version")

    def write_settings(self):
        # JSON is YAML.
        file = self.host.config / "stacks.d" / f"{self.name}.yaml"
        file.write_text(json.dumps(self.settings, indent=1))

    # -- Git ---------------------------------------------------------------------------------------

    def git(self, *arguments, inside=True):
        """Runs git in the developer's clone and returns its output."""
        done = subprocess.run(
            ["git", *map(str, arguments)], cwd=self.work if inside else self.host.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={"PATH": real.SYSTEM_PATH, "HOME": str(self.host.folder / "home"),
                 "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8",
                 "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
                 "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org"})
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def commit(self, services=None, files=None, message="Change"):
        """Commits a new compose file and other files ({path: text, bytes or None}), unpushed."""
        files = dict(files or {})
        if services is not None:
            files["compose.yaml"] = compose_file(services)
        for path, content in files.items():
            target = self.work / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, services=None, files=None, message="Change", force=False):
        """Commits and pushes; returns the commit."""
        commit = self.commit(services, files, message)
        self.git("push", "-q", *(["--force"] if force else []), "origin", "HEAD:main")
        return commit

    # -- what trimtab says -------------------------------------------------------------------------

    def status(self):
        return self.host.status(self.name)

    def releases(self):
        code, body = self.host.get(f"/v1/stacks/{self.name}/releases")
        assert code == 200, body
        return body["releases"]

    def release(self, number):
        code, body = self.host.get(f"/v1/stacks/{self.name}/releases/{number}")
        assert code == 200, body
        return body

    def wait_state(self, *states, seconds=60):
        """Waits until the stack is in one of the states, and returns its status."""
        def reached():
            status = self.status()
            assert status["state"] in states, f"state {status['state']}: {status['reason']}"
            return status
        return self.host.wait(reached, f"{self.name} is {' or '.join(states)}", seconds, SELDOM)

    def wait_phase(self, phase, seconds=60):
        """Waits until a deployment is in this phase."""
        def reached():
            deployment = self.status()["deployment"]
            assert deployment and deployment["phase"] == phase, deployment
            return deployment
        return self.host.wait(reached, f"{self.name} is {phase}", seconds)

    def wait_commit(self, commit, seconds=60):
        """Waits until the commit is deployed and the stack at rest, and returns its status."""
        def reached():
            status = self.status()
            assert status["commit"] == commit and status["state"] == "synced", (
                f"state {status['state']}, commit {status['commit']}: {status['reason']}")
            return status
        return self.host.wait(reached, f"{self.name} runs {commit[:7]}", seconds, SELDOM)

    def in_flight(self):
        """The file of the deployment that has not ended, or None."""
        for file in (self.host.state / self.name / "deployments").glob("*.json"):
            if json.loads(file.read_text())["ended_at"] is None:
                return file
        return None

    def wait_outcome(self, number, *outcomes, seconds=90):
        """Waits until release `number` has one of the outcomes, and returns the release."""
        def reached():
            release = self.release(number)
            assert release["outcome"] in outcomes, f"outcome {release['outcome']}"
            return release
        return self.host.wait(reached, f"release {number} is {' or '.join(outcomes)}", seconds,
                              SELDOM)

    def wait_polls(self, count=2):
        """Waits until the remote has been asked so often, each time with a round after it."""
        for _ in range(count + 1):
            before = self.status()["git"]["checked_at"]
            self.host.wait(lambda: self.status()["git"]["checked_at"] != before,
                           f"{self.name}'s remote is asked again", pause=SELDOM)

    # -- what really runs --------------------------------------------------------------------------

    def containers(self):
        """Inspected containers by service, [container, …] each."""
        found = {}
        for container in self.host.engine.containers(self.project):
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            found.setdefault(service, []).append(container)
        return found

    def instances(self):
        """{service: {(container id, when it was started)}}: equal as long as nothing is touched."""
        return {service: {(c["Id"], c["State"]["StartedAt"]) for c in containers}
                for service, containers in self.containers().items()}

    def container(self, service):
        """The service's only container."""
        containers = self.containers().get(service, [])
        assert len(containers) == 1, f"{service} has {len(containers)} containers"
        return containers[0]

    def docker(self, command, service, *arguments, check=True):
        """`docker COMMAND CONTAINER ARGUMENTS` on the service's container."""
        return self.host.engine.docker(command, self.container(service)["Id"], *arguments,
                                       check=check)

    def execute(self, service, *command):
        """Runs a command in the service's container and returns its output."""
        return self.docker("exec", service, *command)

    def version(self, service):
        """The version that the service's test image really serves."""
        # Without a health check a container runs before its server listens.
        return self.execute(
            service, "sh", "-c", "i=0; until wget -qO- http://127.0.0.1:8080/ 2>/dev/null; do "
            "i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done")

    def running_digest(self, service):
        """The digest of the image that the service's container really runs."""
        image = self.container(service)["Image"]
        _, inspected = self.host.engine.get(f"/images/{image}/json")
        # The same content may have been pulled under other names, too.
        return sorted({reference.partition("@")[2] for reference in inspected["RepoDigests"]})


def compose_file(services, **more):
    """The text of a compose file; named volumes that services mount are declared by themselves."""
    volumes = {}
    for service in services.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0] if isinstance(mount, str) else mount.get("source", "")
            if source and source[0] not in "./~":
                volumes[source] = {}
    document = {"services": services, **({"volumes": volumes} if volumes else {}), **more}
    return json.dumps(document, indent=2) + "\n"
