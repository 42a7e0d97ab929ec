import re
from pathlib import Path

import pytest

from elute.errors import SettingsError
from elute.settings import CHECKOUT, VARIABLES, Settings


def test_without_any_variable_elute_runs_its_own_server_below_the_checkout() -> None:
    settings = Settings.from_environment({})
    assert settings.host is None
    assert settings.port == 5432
    assert settings.database == "postgres"
    assert settings.home == CHECKOUT / ".elute"
    assert settings.seeds_dir == CHECKOUT / "seeds"
    assert settings.max_dropped_ratio == 0.2
    assert settings.postgres_user == "nobody"


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = {variable.name: "" for variable in VARIABLES}
    assert Settings.from_environment(empty) == Settings.from_environment({})


def test_variables_are_read() -> None:
    settings = Settings.from_environment(
        {
            "PGHOST": "db.example.org",
            "PGPORT": "6543",
            "PGUSER": "lab",
            "PGPASSWORD": "s3cret",
            "PGDATABASE": "results",
            "ELUTE_HOME": "/srv/elute",
            "ELUTE_SEEDS_DIR": "/srv/exports",
            "ELUTE_MAX_DROPPED_RATIO": "1",
            "ELUTE_MAX_NULLED_RATIO": "0.75",
            "ELUTE_CSV_ENCODING": "Windows-1252",
            "ELUTE_DATE_FORMAT": "D.M.YYYY",
            "ELUTE_RUN_TIME_UNIT": "min",
            "ELUTE_HOST": "0.0.0.0",
            "ELUTE_PORT": "8080",
            "ELUTE_TOKEN": "write",
            "ELUTE_READ_TOKEN": "read",
            "ELUTE_INSECURE": "1",
            "ELUTE_TRUSTED_PROXIES": "2",
            "ELUTE_CORS_ORIGINS": "https://a.example http://B.example:8080",
            "ELUTE_SCHEDULE": "0 6 * * mon-fri",
            "ELUTE_WATCH": "1",
            "ELUTE_WEBHOOK_URL": "https://a.example/b?c=d http://[::1]:65535",
            "ELUTE_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "ELUTE_APPRISE_URL": "mailto://a:b@c.example slack://d/e/f",
            "ELUTE_PING_URL": "https://hc.example/7",
            "ELUTE_KEEP_RUNS": "20",
            "ELUTE_KEEP_BUILDS": "3",
            "ELUTE_KEEP_FILES_MB": "0",
            "ELUTE_PUBLISH_WAIT_SECONDS": "5",
            "ELUTE_QUERY_SECONDS": "9",
            "ELUTE_LOG_FORMAT": "json",
            "ELUTE_POSTGRES_USER": "daemon",
            "ELUTE_SPARK_FOLDER": "/shared",
        }
    )
    assert settings == Settings(
        host="db.example.org",
        port=6543,
        user="lab",
        password="s3cret",
        database="results",
        home=Path("/srv/elute"),
        seeds_dir=Path("/srv/exports"),
        max_dropped_ratio=1.0,
        max_nulled_ratio=0.75,
        csv_encoding="cp1252",
        date_format="D.M.YYYY",
        run_time_unit="min",
        web_host="0.0.0.0",
        web_port=8080,
        tokens={"write": ""},
        read_token="read",
        is_insecure=True,
        trusted_proxies=2,
        cors_origins=("https://a.example", "http://b.example:8080"),
        schedule="0 6 * * mon-fri",
        watches_files=True,
        webhook_urls=("https://a.example/b?c=d", "http://[::1]:65535"),
        webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        apprise_urls=("mailto://a:b@c.example", "slack://d/e/f"),
        ping_url="https://hc.example/7",
        keep_runs=20,
        keep_builds=3,
        keep_files_mb=0,
        publish_wait_seconds=5,
        query_seconds=9,
        log_format="json",
        postgres_user="daemon",
        engine="postgres",
        spark_folder="/shared",
    )


def test_relative_folders_are_relative_to_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"ELUTE_HOME": "a/../b", "ELUTE_SEEDS_DIR": "./in put"})
    assert settings.home == tmp_path / "b"
    assert settings.seeds_dir == tmp_path / "in put"


@pytest.mark.parametrize("origin", ["*", "lab.example", "https://a.example/x", "null"])
def test_sites_that_may_read_are_named(origin: str) -> None:
    with pytest.raises(SettingsError, match="ELUTE_CORS_ORIGINS"):
        Settings.from_environment({"ELUTE_CORS_ORIGINS": f"https://b.example {origin}"})


@pytest.mark.parametrize("name", ["ELUTE_WEBHOOK_URL", "ELUTE_PING_URL"])
@pytest.mark.parametrize(
    "url", ["lab.example", "file:///etc/passwd", "http:///x", "http://a:b@c/x", "http://c:65536/x"]
)
def test_who_is_told_has_an_address_of_the_web(name: str, url: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be") as refused:
        Settings.from_environment({name: url})
    assert url not in str(refused.value)


@pytest.mark.parametrize("secret", ["geheim", "whsec_", "whsec_" + 32 * "ü", "whsec_c2hvcnQ="])
def test_what_signs_is_long_enough(secret: str) -> None:
    with pytest.raises(SettingsError, match="ELUTE_WEBHOOK_SECRET must be whsec_") as refused:
        Settings.from_environment({"ELUTE_WEBHOOK_SECRET": secret})
    assert secret == "whsec_" or secret not in str(refused.value)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings.from_environment({"ELUTE_HOME": "~/e"}).home == Path("/home/ada/e")


def test_a_folder_may_not_hold_a_line_break() -> None:
    with pytest.raises(SettingsError, match=r"ELUTE_HOME .*line break"):
        Settings.from_environment({"ELUTE_HOME": "/srv/a\nb"})


@pytest.mark.parametrize("value", ["0", "65536", "-1", "5432,5433", "five", "\u0665", " 5432"])
def test_a_port_must_be_a_port(value: str) -> None:
    with pytest.raises(SettingsError, match=f"PGPORT .*{re.escape(repr(value))}"):
        Settings.from_environment({"PGHOST": "db.example.org", "PGPORT": value})


def test_the_port_of_another_server_does_not_matter() -> None:
    assert Settings.from_environment({"PGPORT": "5432,5433"}) == Settings.from_environment({})


@pytest.mark.parametrize("value", ["20%", "1.01", "-0.1", "nan", "inf", "some"])
def test_a_ratio_must_be_a_number_from_0_to_1(value: str) -> None:
    with pytest.raises(SettingsError, match=f"ELUTE_MAX_DROPPED_RATIO .*{re.escape(repr(value))}"):
        Settings.from_environment({"ELUTE_MAX_DROPPED_RATIO": value})


def test_a_printed_settings_object_holds_no_password() -> None:
    assert "s3cret" not in repr(Settings.from_environment({"PGPASSWORD": "s3cret"}))


def test_the_example_file_names_every_setting_and_its_default() -> None:
    text = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE) == [
        (variable.name, variable.default) for variable in VARIABLES
    ]


def test_the_example_file_says_what_each_setting_means() -> None:
    text = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    for variable in VARIABLES:
        assert f"# {variable.meaning}\n#{variable.name}=" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ELUTE_PORT", "0"),
        ("ELUTE_PORT", "http"),
        ("ELUTE_INSECURE", "yes"),
        ("ELUTE_WATCH", "true"),
        ("ELUTE_KEEP_RUNS", "0"),
        ("ELUTE_KEEP_FILES_MB", "99999999999999999999"),
        ("ELUTE_QUERY_SECONDS", "2147484"),
        ("ELUTE_LOG_FORMAT", "xml"),
        ("ELUTE_SCHEDULE", "every day"),
        ("ELUTE_RUN_TIME_UNIT", "per hour"),
        ("ELUTE_SCHEDULE", "0 6 * * * *"),
        ("ELUTE_SCHEDULE", "0 0 30 2 *"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be .* is '{re.escape(value)}'"):
        Settings.from_environment({name: value})


def test_a_token_that_cannot_be_used_is_not_shown() -> None:
    with pytest.raises(SettingsError, match="ELUTE_TOKEN may hold only") as raised:
        Settings.from_environment({"ELUTE_TOKEN": "geheimnisträger"})
    assert "geheim" not in str(raised.value)


def test_tokens_may_have_names() -> None:
    tokens = Settings.from_environment({"ELUTE_TOKEN": " anna:aaa  lims:b:b "}).tokens
    assert tokens == {"aaa": "anna", "b:b": "lims"}


@pytest.mark.parametrize(
    "value", ["anna:geheim ben", "anna:geheim anna:b", "anna:geheim ben:geheim", ":geheim", "anna:"]
)
def test_of_several_tokens_each_has_a_name_of_its_own(value: str) -> None:
    with pytest.raises(SettingsError, match="ELUTE_TOKEN is one token, or NAME:TOKEN") as raised:
        Settings.from_environment({"ELUTE_TOKEN": value})
    assert "geheim" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    secrets = {"PGPASSWORD": "pgsecret", "ELUTE_TOKEN": "tsecret", "ELUTE_READ_TOKEN": "rsecret"}
    assert "secret" not in repr(Settings.from_environment(secrets))


@pytest.mark.parametrize(
    "value",
    ["base64", "rot13", "latin-99", "idna", "idna\0", "utf-16", "punycode", "unicode_escape"],
)
def test_an_encoding_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="ELUTE_CSV_ENCODING must be an encoding"):
        Settings.from_environment({"ELUTE_CSV_ENCODING": value})


@pytest.mark.parametrize("value", ["DD/MM/YYYY", "M/D/YYYY", "YYYY.MM.DD", "D M YYYY"])
def test_a_date_format(value: str) -> None:
    assert Settings.from_environment({"ELUTE_DATE_FORMAT": value}).date_format == value


@pytest.mark.parametrize("value", ["%d/%m/%Y", "DD/MM/YY", "DD/MM-YYYY", "DDMMYYYY", "MM/YYYY"])
def test_a_date_format_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="ELUTE_DATE_FORMAT must have YYYY, MM or M"):
        Settings.from_environment({"ELUTE_DATE_FORMAT": value})


def test_spark_needs_a_server_and_a_folder_and_shows_no_token() -> None:
    spark = {"ELUTE_ENGINE": "spark", "SPARK_REMOTE": "sc://lab:15002/;token=s3cret"}
    with pytest.raises(SettingsError, match="SPARK_REMOTE must be the address") as raised:
        Settings.from_environment(spark | {"SPARK_REMOTE": "http://s3cret"})
    assert "s3cret" not in str(raised.value)
    whole = "ELUTE_SPARK_FOLDER must be the whole path"
    for folder in ("", "shared", "/", "gs://lab/elute", "s3:///elute", "s3://id:s3cret@lab/elute"):
        with pytest.raises(SettingsError, match=whole) as raised:
            Settings.from_environment(spark | {"ELUTE_SPARK_FOLDER": folder})
        assert "s3cret" not in str(raised.value)


def test_spark_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elute.settings.find_spec", lambda _: None)
    spark = {"ELUTE_ENGINE": "spark", "SPARK_REMOTE": "sc://lab", "ELUTE_SPARK_FOLDER": "/shared"}
    with pytest.raises(SettingsError, match=r"pip install .* -r requirements-spark\.txt"):
        Settings.from_environment(spark)
