"""In what trimtab differs from plain Compose on purpose, each with its reason.

An explanation gets a line of `differences` or `replaced_differently` and the project, and is true
where it explains the line.
"""

import re


def of_service(line, pattern):
    """The service that the line is about, if it is such a line."""
    found = re.match(pattern, line)
    return found and found.group(1)


def has_new_contents(line, project):
    """Compose compares neither the contents of configs and secrets nor those of mounted files, and
    leaves the container with the old ones; trimtab replaces it, or has it read them anew.
    """
    name = of_service(line, r"replaced: (\w+): of its containers [12] are kept with Compose, 0 ")
    return name and {"configs", "secrets", "volumes"} & set(project.service(name))


def depends_on_what_was_replaced(line, project):
    """Compose 2.26 replaces all that depend on a service that it replaces, whatever `restart:`
    says; trimtab does as `restart:` says.
    """
    name = of_service(line, r"replaced: (\w+): of its containers 0 are kept with Compose, \d ")
    return name and project.service(name).get("depends_on")


EXPLANATIONS = [has_new_contents, depends_on_what_was_replaced]


def explained(line, project):
    return any(explains(line, project) for explains in EXPLANATIONS)
