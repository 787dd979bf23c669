"""Groups of schedules, and profiles."""

from __future__ import annotations

from crony.api.bodies.group import GroupBody
from crony.api.bodies.profile import ProfileBody
from crony.api.bodies.schedule import EmptyBody, ResumeBody
from crony.api.routes.route import EDIT, PAGE, Route, get

GROUP = "/groups/{group}"
PROFILE = "/profiles/{profile}"

ROUTES: tuple[Route, ...] = (
    get(
        "/groups",
        "list_groups",
        "List groups",
        "groups",
        query=PAGE,
        answer="GroupPage",
    ),
    get(GROUP, "get_group", "Read a group", "groups", answer="Group", also=(304,)),
    Route(
        method="PUT",
        path=GROUP,
        operation="put_group",
        summary="Make or change a group: its profile, its limit, its pause",
        tag="groups",
        roles=EDIT,
        body=GroupBody,
        also=(201,),
        answer="Group",
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path=GROUP,
        operation="delete_group",
        summary="Remove a group that has no schedules",
        tag="groups",
        roles=EDIT,
        status=204,
        problems=("in-use", "revision"),
        conditional=True,
    ),
    Route(
        method="POST",
        path=GROUP + "/pause",
        operation="pause_group",
        summary="Record what comes due in the group as skipped, until resumed",
        tag="groups",
        roles=EDIT,
        body=EmptyBody,
        body_optional=True,
        answer="Group",
    ),
    Route(
        method="POST",
        path=GROUP + "/resume",
        operation="resume_group",
        summary="Let the group go on; what was skipped runs only if asked for",
        tag="groups",
        roles=EDIT,
        body=ResumeBody,
        body_optional=True,
        answer="Group",
    ),
    get(
        "/profiles",
        "list_profiles",
        "List profiles",
        "profiles",
        query=PAGE,
        answer="ProfilePage",
    ),
    get(
        PROFILE,
        "get_profile",
        "Read a profile",
        "profiles",
        answer="Profile",
        also=(304,),
    ),
    Route(
        method="PUT",
        path=PROFILE,
        operation="put_profile",
        summary="Make or change a profile; a change holds from the next occurrences on",
        tag="profiles",
        roles=EDIT,
        body=ProfileBody,
        also=(201,),
        answer="Profile",
        problems=("revision",),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path=PROFILE,
        operation="delete_profile",
        summary="Remove a profile that nothing refers to",
        tag="profiles",
        roles=EDIT,
        status=204,
        problems=("in-use", "revision"),
        conditional=True,
    ),
)
