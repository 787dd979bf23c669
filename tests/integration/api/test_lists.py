"""Lists: pages that nothing is seen twice in, and nothing missing from."""

from __future__ import annotations

from tests.integration.api.caller import Caller, kind


def walked(caller: Caller, path: str, *, between: object = None) -> list[str]:
    """Return the ids of all pages, following ``Link``."""
    found: list[str] = []
    following: str | None = path
    while following:
        answer = caller("GET", following)
        assert answer.status_code == 200, answer.text
        found += [item["id"] for item in answer.json()["items"]]
        following = answer.links.get("next", {}).get("url")
        assert (following is None) == (answer.json()["next"] is None)
        if callable(between):
            between()
    return found


def test_a_list_is_walked_page_by_page(tenant: Caller) -> None:
    made = [tenant.schedule()["id"] for _ in range(7)]
    assert walked(tenant, "/schedules?limit=3") == made
    assert walked(tenant, "/schedules?limit=7") == made


def test_changes_between_pages_neither_repeat_nor_hide_an_item(tenant: Caller) -> None:
    made = [tenant.schedule(name=f"n{n}")["id"] for n in range(8)]
    gone = iter(made)

    def change() -> None:
        tenant("DELETE", f"/schedules/{next(gone)}")
        tenant.schedule(name=f"a-{len(made)}-{id(object())}")

    seen = walked(tenant, "/schedules?limit=3&sort=name", between=change)
    assert len(seen) == len(set(seen))
    assert set(made[3:]) <= set(seen)


def test_a_cursor_fits_its_own_list_alone(tenant: Caller, admin: Caller) -> None:
    for _ in range(3):
        tenant.schedule()
    cursor = tenant.got("/schedules?limit=1")["next"]
    assert tenant("GET", f"/schedules?limit=2&cursor={cursor}").status_code == 200
    for path in (f"/runs?cursor={cursor}", f"/schedules?sort=name&cursor={cursor}"):
        assert kind(tenant("GET", path)) == (400, "invalid-parameter")
    other = admin("GET", f"/schedules?limit=1&cursor={cursor}")
    assert kind(other) == (400, "invalid-parameter")
    for changed in (cursor[:-2], "A" + cursor[1:], cursor + "AAAA"):
        assert kind(tenant("GET", f"/schedules?cursor={changed}"))[0] == 400


def test_runs_are_filtered(tenant: Caller) -> None:
    schedule = tenant.schedule(name="a")
    tenant.schedule(name="b")
    run = tenant.made("/schedules/a/run")
    other = tenant.made("/schedules/b/run")
    assert tenant.got("/schedules/a/runs")["items"] == [run]
    assert walked(tenant, f"/schedules/{schedule['id']}/runs") == [run["id"]]
    assert set(walked(tenant, "/runs?limit=1")) == {run["id"], other["id"]}
    tenant.made(f"/runs/{run['id']}/cancel")
    assert walked(tenant, "/runs?state=cancelled") == [run["id"]]
    assert walked(tenant, "/runs?state=cancelled,pending&limit=1") == walked(
        tenant, "/runs"
    )
    assert walked(tenant, f"/runs?until={run['scheduled_for']}") == []
    assert run["id"] in walked(tenant, f"/runs?since={run['scheduled_for']}")
    assert walked(tenant, "/runs?worker=nobody") == []
    assert set(walked(tenant, "/runs?group=default")) == {run["id"], other["id"]}
    assert walked(tenant, "/schedules/a/runs?group=default") == [run["id"]]
    assert walked(tenant, "/runs?group=none") == []
