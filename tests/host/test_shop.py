"""The whole example under a constant load: no request, no row, no upload is lost."""

import collections
import os
import pathlib

import parts as real
import pytest
from shop_changes import AWKWARD, PLAIN, backend, frontend
from shop_on_host import GENTLY, Customers, Shop, lost_rows, lost_uploads

RATE = 210  # requests a second
on_trixie = pytest.mark.parametrize(
    "release", [pytest.param("trixie", marks=pytest.mark.trixie)], indirect=True)


@pytest.fixture
def shop(debian, forge, deb):
    debian.install(deb)
    shop = Shop(debian, forge)
    shop.hurry()
    # Where tests/run has something else at work, it makes that file when it is over.
    if quiet := os.environ.get("TRIMTAB_TEST_QUIET"):
        real.wait_until(pathlib.Path(quiet).exists, "nothing else runs", 3600, GENTLY)
    shop.install()
    return shop


@on_trixie
def test_twenty_deployments_lose_no_request_no_row_and_no_upload(shop, tmp_path):
    database = shop.containers()["db"]
    customers = Customers(shop, tmp_path, RATE)
    try:
        customers.wait_for(5 * RATE)
        deployments(shop, customers)
        customers.wait_for(5 * RATE)
    finally:
        answers = customers.leave()

    assert [entry for entry in answers if entry["problem"]] == []
    missing, twice = lost_rows(shop, answers)
    assert (missing, twice) == (set(), set())
    assert lost_uploads(shop, answers) == []
    assert shop.containers()["db"] == database
    # The unit's sandbox lets the kernel refuse connections.
    assert "may fail" not in shop.host.journal("trimtabd")
    # What was asked is what was to be asked, and every version has served.
    seconds = max(e["at"] + e["took"] for e in answers) - min(e["at"] for e in answers)
    assert len(answers) / seconds >= 200
    kinds = collections.Counter(entry["kind"] for entry in answers)
    assert sum(kinds[kind] for kind in ("item", "upload")) >= len(answers) * 0.49
    served = {entry["version"] for entry in answers if entry["version"]}
    assert served == {*(f"backend-v{n:02}" for n in (1, 2, 3, 5, 7, 10)),
                      *(f"frontend-v{n:02}" for n in (1, 2, 3, 9, 11))}


def deployments(shop, customers):
    """Twenty of them, the last three with an operator and a daemon that does not live through."""
    number = 1
    for change in [*PLAIN, *AWKWARD]:
        number += 1
        change.make(shop)
        release = shop.wait_outcome(number)
        assert release["outcome"] == change.outcome, (change.title, release)
        assert customers.failed() == [], change.title

    shop.trimtab("rollback", "shop", "--wait")
    assert shop.status()["release"] == number - 1
    assert customers.failed() == [], "rollback"

    for make, how in ((backend("v10"), ["systemctl", "kill", "-s", "KILL", "trimtabd"]),
                      (frontend("v11"), ["systemctl", "restart", "trimtabd"])):
        number += 1
        make(shop)
        shop.wait_phase("starting")
        shop.host.run(how)
        assert shop.wait_outcome(number)["outcome"] == "good"
        assert customers.failed() == [], how
