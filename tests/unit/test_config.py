"""Settings: where they come from, which wins, and what is refused."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from crony import config, errors
from crony.config.kinds import text_of


def loaded(
    home: Path,
    *,
    path: str | None = None,
    overrides: dict[tuple[str, str], object] | None = None,
    **environ: str,
) -> config.Settings:
    return config.load(
        path=path,
        environ={"CRONY_HOME": str(home), **environ},
        overrides=overrides or {},
    )


def written(home: Path, text: str) -> Path:
    path = home / "crony.conf"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_word_the_service_listens_on_loopback_and_keeps_sqlite(
    tmp_path: Path,
) -> None:
    settings = loaded(tmp_path)

    assert settings.api.bind == "127.0.0.1:8640"
    assert settings.storage.url == f"sqlite:///{tmp_path}/crony.db"
    assert settings.worker.queues == ("default",)
    assert settings.worker.slots == 2 * len(os.sched_getaffinity(0))
    assert settings.worker.sandbox_level == "auto"
    assert settings.api.lease_ttl == timedelta(seconds=60)


@pytest.mark.parametrize(
    "setting", config.rows(), ids=lambda row: f"{row.section}.{row.key}"
)
def test_each_setting_obeys_option_then_variable_then_file_then_default(
    tmp_path: Path, setting: config.Setting
) -> None:
    texts = {
        "bind": ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"),
        "api_url": ("http://a:1", "https://b", "http://c/x"),
        "labels": ("a=1", "b=2", "c=3"),
        "task_uids": ("10-19", "20-29", "30-39"),
        "log_level": ("debug", "warning", "error"),
        "log_format": ("text", "json", "auto"),
        "sandbox_level": ("none", "full", "landlock"),
        "output": ("json", "text", "json"),
        "insecure_bind": ("yes", "off", "1"),
        "allow_network_host": ("true", "no", "on"),
        "python_ahead": ("false", "on", "no"),
    }
    amounts = ("5s", "7s", "9s") if "duration" in setting.kind.form else ("8", "9", "7")
    by_option, by_variable, by_file = texts.get(setting.key, amounts)
    if setting.key == "max_connections":
        by_file = "10"
    home = tmp_path
    environ = {setting.variable: by_variable}
    place = (setting.section, setting.key)

    def value(settings: config.Settings) -> object:
        return getattr(getattr(settings, setting.section), setting.key)

    plain = value(loaded(home))
    written(home, f"[{setting.section}]\n{setting.key} = {by_file}\n").chmod(0o600)
    from_file = value(loaded(home))
    from_variable = value(loaded(home, **environ))
    from_option = value(loaded(home, **environ, overrides={place: by_option}))

    assert plain == setting.default({"CRONY_HOME": str(home)})
    assert from_file == setting.kind.parse(by_file)
    assert from_variable == setting.kind.parse(by_variable)
    assert from_option == setting.kind.parse(by_option)


@pytest.mark.parametrize(
    "setting", config.rows(), ids=lambda row: f"{row.section}.{row.key}"
)
def test_each_default_reads_back_from_its_own_text(setting: config.Setting) -> None:
    default = setting.default({"CRONY_HOME": "/somewhere"})
    if default is not None and text_of(default):
        assert setting.kind.parse(text_of(default)) == default


def test_no_two_settings_share_a_long_variable() -> None:
    variables = [setting.variable for setting in config.rows()]
    assert len(set(variables)) == len(variables)


def test_short_variables_reach_every_section_that_needs_them(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        CRONY_STORAGE="sqlite:////x/y.db",
        CRONY_API_URL="http://host:1/",
        CRONY_KEY_FILE="/k",
    )

    assert settings.storage.url == "sqlite:////x/y.db"
    assert settings.worker.api_url == settings.client.api_url == "http://host:1"
    assert settings.worker.key_file == settings.client.key_file == "/k"


def test_long_variable_wins_over_the_short_one(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, CRONY_API_URL="http://short", CRONY_WORKER_API_URL="http://long"
    )

    assert settings.worker.api_url == "http://long"
    assert settings.client.api_url == "http://short"


def test_key_file_by_option_wins_over_a_key_in_a_variable(tmp_path: Path) -> None:
    place = ("client", "key_file")
    settings = loaded(tmp_path, CRONY_KEY="crony_a", overrides={place: "/k"})

    assert (settings.client.key, settings.client.key_file) == (None, "/k")
    assert (settings.worker.key, settings.worker.key_file) == ("crony_a", None)


def test_options_arrive_as_typed_values_too(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        overrides={
            ("worker", "queues"): ("a", "b"),
            ("worker", "labels"): {"os": "linux"},
            ("worker", "slots"): 3,
            ("api", "lease_ttl"): timedelta(seconds=90),
            ("api", "insecure_bind"): True,
            ("worker", "name"): None,
        },
    )

    assert settings.worker.queues == ("a", "b")
    assert settings.worker.labels == {"os": "linux"}
    assert settings.worker.slots == 3
    assert settings.api.lease_ttl == timedelta(seconds=90)
    assert settings.api.insecure_bind is True
    assert settings.worker.name == loaded(tmp_path).worker.name


def test_first_file_of_the_order_is_the_only_one_read(tmp_path: Path) -> None:
    written(tmp_path, "[api]\nthreads = 1\nprocesses = 2\n")
    by_variable = tmp_path / "variable.conf"
    by_variable.write_text("[api]\nthreads = 3\n")
    by_option = tmp_path / "option.conf"
    by_option.write_text("[api]\nthreads = 4\n")
    chosen = {"CRONY_CONFIG": str(by_variable)}

    assert loaded(tmp_path).api.threads == 1
    assert loaded(tmp_path, **chosen).api.threads == 3
    assert loaded(tmp_path, **chosen).api.processes == 1
    assert loaded(tmp_path, path=str(by_option), **chosen).api.threads == 4


@pytest.mark.parametrize(
    ("text", "key", "detail"),
    [
        ("[apii]\n", "[apii]", 'unknown section; did you mean "api"?'),
        ("[DEFAULT]\nbind = 1\n", "[DEFAULT]", "unknown section"),
        ("[api]\nbnid = x\n", "[api] bnid", 'unknown key; did you mean "bind"?'),
        ("[api]\nBind = x\n", "[api] Bind", 'unknown key; did you mean "bind"?'),
        ("[api]\nslots = 3\n", "[api] slots", "unknown key"),
        ("bind = 1\n", "line 1", "comes before the first [section]"),
        ("[api]\nsecret thing\n", "line 2", "is not of the form key = value"),
        ("[api]\nbind=:1\nbind=:2\n", "line 3", "bind is there twice in [api]"),
        ("[api]\n[api]\n", "line 2", "[api] is there twice"),
        ("[api]\nthreads = many\n", "[api] threads", "'many' is not a whole number"),
        ("[api]\nthreads = 0\n", "[api] threads", "0 is out of 1..128"),
        ("[api]\nbind =\n", "[api] bind", "'' is not of the form HOST:PORT"),
    ],
)
def test_wrong_file_is_refused_with_the_place_and_what_is_near(
    tmp_path: Path, text: str, key: str, detail: str
) -> None:
    path = written(tmp_path, text)

    with pytest.raises(errors.InvalidSetting) as caught:
        loaded(tmp_path)

    assert caught.value.source == str(path)
    assert caught.value.key == key
    assert caught.value.detail.startswith(detail)


def test_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crony.conf"
    path.write_bytes(b"[api]\n\xff\n")
    with pytest.raises(errors.InvalidSetting, match="is not UTF-8"):
        loaded(tmp_path)


@pytest.mark.parametrize("source", ["--config", "CRONY_CONFIG"])
def test_file_that_was_named_must_exist(tmp_path: Path, source: str) -> None:
    missing = str(tmp_path / "none.conf")
    environ = {"CRONY_CONFIG": missing} if source == "CRONY_CONFIG" else {}
    path = missing if source == "--config" else None

    with pytest.raises(errors.InvalidSetting, match=r"none\.conf") as caught:
        loaded(tmp_path, path=path, **environ)

    assert caught.value.source == source


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CRONY_API_BNID", "CRONY_API_BIND"),
        ("CRONY_STORGE", "CRONY_STORAGE"),
        ("CRONY_KEYFILE", "CRONY_KEY_FILE"),
        ("CRONY_CONFG", "CRONY_CONFIG"),
    ],
)
def test_variable_that_is_surely_a_slip_is_refused(
    tmp_path: Path, name: str, nearest: str
) -> None:
    with pytest.raises(errors.InvalidSetting) as caught:
        loaded(tmp_path, **{name: "x"})

    assert caught.value.key == name
    assert caught.value.detail == f'unknown variable; did you mean "{nearest}"?'


def test_client_inside_a_task_accepts_the_variables_of_the_task(tmp_path: Path) -> None:
    names = ("SCHEDULE_ID", "SCHEDULE_NAME", "RUN_ID", "SCHEDULED_FOR", "ATTEMPT")
    more = ("TOKEN", "DEADLINE", "PROGRESS_FD", "CHAOS_SECONDS", "CHAOS_SEED")
    environ = {f"CRONY_{name}": "1" for name in (*names, *more)}

    assert loaded(tmp_path, **environ) == loaded(tmp_path)


def test_secret_in_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "[client]\nkey = crony_abc\n")
    path.chmod(0o640)
    with pytest.raises(errors.InvalidSetting, match="chmod 600") as caught:
        loaded(tmp_path)
    assert "crony_abc" not in str(caught.value)

    path.chmod(0o600)
    assert loaded(tmp_path).client.key == "crony_abc"


def test_secret_does_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    assert "crony_abc" not in repr(loaded(tmp_path, CRONY_KEY="crony_abc"))


@pytest.mark.parametrize("url", ["http://me:a,secret@b", "http://me:a,secret,c@b"])
def test_password_in_an_address_does_not_show(url: str, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidSetting, match="with an @") as caught:
        loaded(tmp_path, CRONY_API_URL=url)
    assert "secret" not in str(caught.value)


def test_error_of_an_option_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidSetting) as caught:
        loaded(tmp_path, overrides={("worker", "api_url"): "ftp://x"})

    assert caught.value.source == "--api"
    assert "does not start with http://" in caught.value.detail
