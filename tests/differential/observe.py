"""What runs of a Compose project, without what differs from one start to the next."""

import json
import re

LABEL = "com.docker.compose."
# What Compose and trimtab note for themselves, and what only counts containers.
OWN_LABELS = {"config-hash", "version", "project.config_files", "project.working_dir",
              "project.environment_file", "image", "replace", "depends_on"}
# Of the container's configuration, and of what the host does with it.
CONFIG = ("AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "Entrypoint", "Env", "ExposedPorts",
          "Healthcheck", "OpenStdin", "StdinOnce", "StopSignal", "StopTimeout", "Tty", "User",
          "Volumes", "WorkingDir")
HOST_CONFIG = (
    "AutoRemove", "BlkioWeight", "CapAdd", "CapDrop", "CpuShares", "CpusetCpus", "Devices", "Dns",
    "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Init", "IpcMode", "LogConfig", "Memory",
    "MemoryReservation", "MemorySwap", "NanoCpus", "OomKillDisable", "OomScoreAdj", "PidMode",
    "PidsLimit", "Privileged", "PublishAllPorts", "ReadonlyRootfs", "RestartPolicy", "Runtime",
    "SecurityOpt", "ShmSize", "Sysctls", "Tmpfs", "UTSMode", "Ulimits", "UsernsMode", "VolumesFrom",
    "Annotations")


class Seen:
    """What one look at the Engine found.

    `containers`: {service: [configuration, …]}, `identities`: {service: {(id, start)}},
    `networks` and `volumes`: {name: configuration}; made comparable by `names`, [(text, word), …]:
    what is written instead of a text that only this side has.
    """

    def __init__(self, engine, project, names):
        self.names = names
        containers = engine.containers(project)
        services = {c["Id"]: c["Config"]["Labels"][LABEL + "service"] for c in containers}
        self.containers, self.identities, self.contents = {}, {}, {}
        for container in containers:
            service = services[container["Id"]]
            self.containers.setdefault(service, []).append(
                self.plain(configuration(container, services, project)))
            self.identities.setdefault(service, set()).add(container["Id"])
        self.networks = {
            self.plain(one["Name"]): self.plain(network(engine.get(f"/networks/{one['Id']}")[1]))
            for one in engine.get("/networks")[1] if of_project(one, project)}
        self.volumes = {
            self.plain(one["Name"]): self.plain(volume(one))
            for one in engine.get("/volumes")[1]["Volumes"] or [] if of_project(one, project)}
        self.made = {self.plain(one["Name"]): one["CreatedAt"]
                     for one in engine.get("/volumes")[1]["Volumes"] or []
                     if of_project(one, project)}

    def plain(self, value):
        text = json.dumps(value, sort_keys=True)
        for own, word in self.names:
            text = text.replace(own, word)
        # Anonymous volumes.
        text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
        return json.loads(text)


def of_project(part, project):
    return (part.get("Labels") or {}).get(LABEL + "project") == project


def labels(given):
    return {key: value for key, value in (given or {}).items()
            if key.removeprefix(LABEL) not in OWN_LABELS and not key.startswith("trimtab.")}


def configuration(container, services, project):
    config, host = container["Config"], container["HostConfig"]
    found = {key: config.get(key) for key in CONFIG}
    found.update({key: host.get(key) for key in HOST_CONFIG})
    for key in ("Env", "Dns", "ExtraHosts", "CapAdd", "CapDrop", "SecurityOpt", "GroupAdd"):
        found[key] = sorted(found[key] or [])
    for key in ("ExposedPorts", "Volumes", "Tmpfs", "Sysctls", "Annotations", "Ulimits", "Devices",
                "Cmd", "Entrypoint", "DnsOptions", "DnsSearch", "VolumesFrom"):
        found[key] = found[key] or None
    found["Name"] = container["Name"]
    found["Image"] = container["Image"][:19]
    found["Labels"] = labels(config["Labels"])
    found["State"] = container["State"]["Status"]
    found["Hostname"] = None if config["Hostname"] == container["Id"][:12] else config["Hostname"]
    found["Mounts"] = sorted(
        ({"Type": m["Type"], "From": m.get("Name") or m.get("Source"), "To": m["Destination"],
          "RW": m["RW"]} for m in container["Mounts"]), key=lambda m: m["To"])
    mode = host["NetworkMode"]
    kind, _, owner = mode.partition(":")
    found["NetworkMode"] = f"of {services.get(owner, 'a container that is gone')}" \
        if kind == "container" else mode
    if kind == "container":
        found["Hostname"] = None
    found["Ports"] = {port: [b["HostIp"] for b in bound or []]
                      for port, bound in (host["PortBindings"] or {}).items()} or None
    found["Networks"] = {
        name: sorted(a for a in set(joined.get("Aliases") or []) if a != container["Id"][:12])
        for name, joined in container["NetworkSettings"]["Networks"].items()}
    return found


def network(found):
    return {"Driver": found["Driver"], "Internal": found["Internal"], "Options": found["Options"],
            "Labels": labels(found["Labels"]), "EnableIPv6": found["EnableIPv6"]}


def volume(found):
    return {"Driver": found["Driver"], "Options": found["Options"],
            "Labels": labels(found["Labels"])}


def differences(plain, ours):
    """What differs between two `Seen`, one line each."""
    lines = []
    for what in ("containers", "networks", "volumes"):
        a, b = getattr(plain, what), getattr(ours, what)
        for key in sorted(set(a) | set(b)):
            if key not in a or key not in b:
                lines.append(f"{what}: {key} is there {'with Compose' if key in a else 'with trimtab'} alone")
            elif a[key] != b[key]:
                lines += [f"{what}: {key}: {line}" for line in unequal(a[key], b[key])]
    return lines


def unequal(a, b):
    if isinstance(a, list):
        if len(a) != len(b):
            return [f"{len(a)} with Compose, {len(b)} with trimtab"]
        return [line for x, y in zip(a, b) for line in unequal(x, y)]
    return [f"{key}: {json.dumps(a.get(key))} with Compose, {json.dumps(b.get(key))} with trimtab"
            for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]
