"""Compose projects by chance, as values: a project is made, then changed step by step."""

import copy
import json

TAGS = ("1", "2", "3")
NAMES = ("web", "api", "db", "worker", "cache")


class Project:
    """What a repository holds, and the .env beside it.

    `files`: {path: text}, `compose`: the files that Compose is given, [] for its default ones,
    `env`: the variables of .env. Ports and names that a host has once come from variables, which
    each side of the comparison sets for itself. `is_old`: only what docker-compose 1.29 reads.
    """

    def __init__(self, dice, images, is_old=False):
        self.dice = dice
        self.is_old = is_old
        self.images = images
        self.env = {"MODE": "a", "LEVEL": "1"}
        self.services = {}
        self.volumes = {}
        self.networks = {}
        self.configs = {}
        self.secrets = {}
        self.files = {}
        self.override = {}
        self.included = {}
        self.directory = dice.choice(["", "", "apps/shop/"])
        self.history = []
        for name in dice.sample(NAMES, dice.randint(1, 4)):
            self.add_service(name)
        if self.directory == "" and dice.random() < 0.25:
            self.change_override()
        if dice.random() < 0.25 and not is_old:
            self.change_included()

    # -- what is written ---------------------------------------------------------------------------

    @property
    def compose(self):
        return [self.directory + "compose.yaml"] if self.directory else []

    def tree(self):
        """{path: text} of the commit, and of .env, which lies beside the first compose file."""
        top = {"services": self.services}
        for key in ("volumes", "networks", "configs", "secrets"):
            if getattr(self, key):
                top[key] = getattr(self, key)
        tree = {self.directory + path: text for path, text in self.files.items()}
        if self.included:
            top = {"include": ["more/compose.yaml"], **top}
            tree[self.directory + "more/compose.yaml"] = dump({"services": self.included})
            tree[self.directory + "more/settings.env"] = "INCLUDED=1\n"
        tree[self.directory + "compose.yaml"] = dump(top)
        tree[self.directory + ".env"] = "".join(f"{k}={v}\n" for k, v in self.env.items())
        if self.override:
            tree["compose.override.yaml"] = dump({"services": self.override})
        return tree

    # -- making ------------------------------------------------------------------------------------

    def note(self, what):
        self.history.append(what)

    def add_service(self, name):
        service = {"image": self.image(), "stop_grace_period": "1s"}
        self.services[name] = service
        for _ in range(self.dice.randint(0, 5)):
            self.give(name)
        return f"{name} is new"

    def image(self):
        return self.images[self.dice.choice(TAGS)]

    def give(self, name):
        """Gives the service something more, or something else; returns it in words."""
        return self.dice.choice(GIFTS)(self, name, self.services[name])

    def change(self):
        """One change of the project; returns it in words."""
        change = self.dice.choice(CHANGES)
        told = change(self)
        return told or self.change()

    def service(self, name):
        return self.services.get(name) or self.included.get(name) or {}

    def any_service(self):
        return self.dice.choice(sorted(self.services))

    def change_override(self):
        name = self.any_service()
        self.override = {name: {"environment": {"OVERRIDDEN": str(self.dice.randint(1, 99))}}}
        return f"the override file gives {name} a variable"

    def change_included(self):
        self.included = {"extra": {
            "image": self.image(), "stop_grace_period": "1s", "env_file": ["settings.env"],
            "environment": {"LEVEL": "${LEVEL}"}}}
        return "the included file has another service"


def dump(document):
    return json.dumps(document, indent=1) + "\n"  # JSON is YAML


# ---- What a service may have --------------------------------------------------------------------

def environment(project, name, service):
    value = project.dice.choice(["${MODE}", "${LEVEL:-0}", "${ABSENT:-none}", "plain", "a$$b",
                                 str(project.dice.randint(1, 99))])
    service.setdefault("environment", {})[project.dice.choice("ABC")] = value
    return f"{name} gets a variable"


def env_file(project, name, service):
    path = f"{name}.env"
    project.files[path] = f"FROM_FILE={project.dice.randint(1, 99)}\nQUOTED='x $Y'\n"
    forms = [path, [path], [{"path": path}]]
    service["env_file"] = project.dice.choice(forms[:2] if project.is_old else forms)
    return f"{name} reads {path}"


def command(project, name, service):
    service["command"] = ["/bin/sh", "-c", f"trap 'exit 0' TERM; : {project.dice.randint(1, 99)}; "
                          "while :; do sleep 3600 & wait $$!; done"]
    service.pop("healthcheck", None)
    service["healthcheck"] = {"disable": True}
    return f"{name} gets another command"


def named_volume(project, name, service):
    volume = project.dice.choice(["data", "cache"])
    project.volumes[volume] = project.dice.choice([{}, None, {"labels": {"kind": volume}}]) \
        if volume not in project.volumes else project.volumes[volume]
    mount = project.dice.choice([f"{volume}:/{volume}", {
        "type": "volume", "source": volume, "target": f"/{volume}"}])
    mounts = service.setdefault("volumes", [])
    if not any(target_of(m) == f"/{volume}" for m in mounts):
        mounts.append(mount)
    return f"{name} mounts the volume {volume}"


def target_of(mount):
    return mount["target"] if isinstance(mount, dict) else mount.split(":")[1 if ":" in mount else 0]


def bind(project, name, service):
    path = f"conf/{name}.txt"
    project.files[path] = f"{project.dice.randint(1, 99)}\n"
    mounts = service.setdefault("volumes", [])
    if not any(target_of(m) == "/conf" for m in mounts):
        mounts.append(f"./{path}:/conf:ro")
    return f"{name} mounts {path}"


def anonymous_volume(project, name, service):
    mounts = service.setdefault("volumes", [])
    if not any(target_of(m) == "/anonymous" for m in mounts):
        mounts.append("/anonymous")
    return f"{name} has an anonymous volume"


def config(project, name, service):
    from_file = project.dice.random() < 0.5 or project.is_old
    key = f"{name}_{'file' if from_file else 'text'}_config"
    if from_file:
        project.files[f"{key}.txt"] = f"{project.dice.randint(1, 99)}\n"
        project.configs[key] = {"file": f"./{key}.txt"}
    else:
        project.configs[key] = {"content": f"mode ${{MODE}} {project.dice.randint(1, 99)}\n"}
    service["configs"] = project.dice.choice([[key], [{"source": key, "target": "/etc/app.conf"}]])
    return f"{name} reads a config"


def secret(project, name, service):
    from_file = project.dice.random() < 0.5 or project.is_old
    # Compose does not see that the definition of a secret is another one.
    key = f"{name}_{'file' if from_file else 'variable'}_secret"
    if from_file:
        project.files[f"{key}.txt"] = f"hush {project.dice.randint(1, 99)}\n"
        project.secrets[key] = {"file": f"./{key}.txt"}
    else:
        project.secrets[key] = {"environment": "MODE"}
    service["secrets"] = [key]
    return f"{name} reads a secret"


def network(project, name, service):
    key = project.dice.choice(["front", "back"])
    project.networks.setdefault(key, project.dice.choice([{}, None, {"internal": True}]))
    if "network_mode" in service:
        return None
    networks = service.setdefault("networks", {"default": None})
    networks[key] = project.dice.choice([None, {"aliases": [f"{name}-alias"]}])
    return f"{name} joins the network {key}"


def network_mode(project, name, service):
    others = [one for one in project.services if one != name
              and "network_mode" not in project.services[one]
              and "deploy" not in project.services[one]]
    used = any(one.get("network_mode") == f"service:{name}" for one in project.services.values())
    if not others or used or {"networks", "ports", "hostname", "extra_hosts", "dns"} & set(service):
        return None
    service["network_mode"] = f"service:{project.dice.choice(sorted(others))}"
    depends = service.get("depends_on")
    if isinstance(depends, list) and service["network_mode"][8:] in depends:
        depends.remove(service["network_mode"][8:])
    return f"{name} shares a network namespace"


def depends_on(project, name, service):
    # Later ones on earlier ones, so that there is no ring.
    order = list(project.services)
    others = order[:order.index(name)]
    others = [one for one in others if not reaches(project, one, name)]
    if not others:
        return None
    other = project.dice.choice(others)
    condition = project.dice.choice(["service_started", "restart"])
    if project.is_old:
        condition = "service_started"
    service["depends_on"] = [other] if condition == "service_started" else {
        other: {"condition": "service_started", "restart": True}}
    return f"{name} depends on {other}"


def reaches(project, begin, end):
    """Whether `begin` needs `end`, by any kind of need."""
    seen, ahead = set(), [begin]
    while ahead:
        one = ahead.pop()
        if one == end:
            return True
        if one in seen or one not in project.services:
            continue
        seen.add(one)
        service = project.services[one]
        ahead += list(service.get("depends_on", []))
        if service.get("network_mode", "").startswith("service:"):
            ahead.append(service["network_mode"][8:])
    return False


def port(project, name, service):
    if "network_mode" in service:
        return None
    forms = [["127.0.0.1::8080"], [{"target": 8080, "host_ip": "127.0.0.1", "protocol": "tcp"}]]
    service["ports"] = project.dice.choice(forms[:1] if project.is_old else forms)
    return f"{name} publishes a port"


def replicas(project, name, service):
    if any(one.get("network_mode") == f"service:{name}" for one in project.services.values()):
        return None
    service["deploy"] = {"replicas": project.dice.choice([1, 2])}
    return f"{name} has {service['deploy']['replicas']} replicas"


def profile(project, name, service):
    if any(name in one.get("depends_on", []) or one.get("network_mode") == f"service:{name}"
           for one in project.services.values()):
        return None
    if len([s for s in project.services.values() if "profiles" not in s]) < 2:
        return None
    service["profiles"] = ["extra"]
    return f"{name} is in a profile"


def setting(project, name, service):
    key, value = project.dice.choice(SETTINGS)
    if project.is_old and key in ("annotations", "pull_policy"):
        return None
    if "network_mode" in service and key in ("hostname", "extra_hosts", "dns"):
        return None
    service[key] = copy.deepcopy(value)
    return f"{name} gets {key}"


SETTINGS = [
    ("restart", "always"), ("restart", "unless-stopped"), ("restart", "no"),
    ("hostname", "box"), ("user", "0:0"), ("working_dir", "/tmp"), ("init", True),
    ("labels", {"team": "blue"}), ("labels", ["team=green"]), ("cap_add", ["NET_ADMIN"]),
    ("cap_drop", ["MKNOD"]), ("ulimits", {"nofile": {"soft": 1024, "hard": 2048}}),
    ("sysctls", {"net.core.somaxconn": "512"}), ("extra_hosts", ["elsewhere:10.1.2.3"]),
    ("dns", ["10.1.2.3"]), ("tmpfs", ["/scratch"]), ("shm_size", "32m"), ("mem_limit", "256m"),
    ("stop_signal", "SIGINT"), ("stop_grace_period", "2s"), ("logging", {
        "driver": "json-file", "options": {"max-size": "1m"}}), ("pids_limit", 100),
    ("security_opt", ["no-new-privileges:true"]), ("oom_score_adj", 100),
    ("group_add", ["100"]), ("x-note", {"ours": True}), ("annotations", {"kind": "test"}),
    ("healthcheck", {"test": ["CMD", "true"], "interval": "1s", "retries": 2}),
    ("healthcheck", {"disable": True}), ("pull_policy", "missing"), ("tty", True),
]

GIFTS = [environment, environment, env_file, command, named_volume, named_volume, bind,
         anonymous_volume, config, secret, network, network_mode, depends_on, port, replicas,
         profile, setting, setting, setting, setting]


# ---- What changes -------------------------------------------------------------------------------

def new_image(project):
    name = project.any_service()
    service = project.services[name]
    service["image"] = project.images[project.dice.choice(
        [tag for tag in TAGS if project.images[tag] != service["image"]])]
    return f"{name} gets another image"


def new_service(project):
    free = [name for name in NAMES if name not in project.services]
    return project.add_service(project.dice.choice(free)) if free else None


def service_gone(project):
    name = project.any_service()
    needed = any(name in one.get("depends_on", []) or one.get("network_mode") == f"service:{name}"
                 for key, one in project.services.items() if key != name)
    if needed or len([s for s in project.services.values() if "profiles" not in s]) < 2:
        return None
    del project.services[name]
    project.override.pop(name, None)
    return f"{name} is gone"


def gift(project):
    return project.give(project.any_service())


def loss(project):
    name = project.any_service()
    service = project.services[name]
    keys = [key for key in service if key not in ("image", "stop_grace_period", "deploy")]
    if not keys:
        return None
    key = project.dice.choice(keys)
    del service[key]
    return f"{name} has no {key} any more"


def new_variable(project):
    key = project.dice.choice(sorted(project.env))
    project.env[key] = str(project.dice.randint(1, 99))
    return f"{key} changes in .env"


def new_file(project):
    if not project.files:
        return None
    path = project.dice.choice(sorted(project.files))
    project.files[path] = (f"FROM_FILE={project.dice.randint(1, 99)}\n" if path.endswith(".env")
                           else f"{project.dice.randint(1, 99)}\n")
    return f"{path} changes"


def nothing(project):
    project.files["README"] = f"{project.dice.randint(1, 99)}\n"
    return "a file that no service reads changes"


def override(project):
    return None if project.directory else project.change_override()


def override_gone(project):
    gone, project.override = project.override, {}
    return "the override file is gone" if gone else None


def included(project):
    return None if project.is_old else project.change_included()


CHANGES = [new_image, new_image, new_service, service_gone, gift, gift, gift, gift, loss, loss,
           new_variable, new_variable, new_file, new_file, nothing, override, override_gone,
           included]
