"""The engine's section: absent is embedded, the environment stands above the file, the Redis URL is never shown."""

import pytest

from tests.parts.tocsin import example
from tocsin.config import Config, ConfigError, parse

SECTION = 'engine:\n  kafka: "one:9092, two:9092"\n  redis: redis://:in-the-file@redis:6379/2\n'


def loaded(text: str, **environment: str) -> Config:
    return parse(text.encode(), "tocsin.yaml", environment)


def test_without_a_section_the_engine_is_embedded() -> None:
    assert loaded(example()).engine is None
    assert loaded(example(), TOCSIN_KAFKA="", TOCSIN_REDIS="").engine is None, "an empty variable says nothing"


def test_a_section() -> None:
    engine = loaded(example() + SECTION).engine
    assert engine is not None
    assert engine.servers == ["one:9092", "two:9092"]
    assert engine.redis.get_secret_value() == "redis://:in-the-file@redis:6379/2"
    assert (engine.namespace, engine.replication, engine.registry) == ("", 1, None)
    assert "in-the-file" not in repr(engine)


def test_the_environment_stands_above_the_file_and_for_it() -> None:
    variables = {"TOCSIN_KAFKA": "three:9092", "TOCSIN_REDIS": "rediss://elsewhere"}
    for text in (example(), example() + SECTION, example() + "engine:\n  namespace: a.\n"):
        engine = loaded(text, **variables).engine
        assert engine is not None
        assert (engine.kafka, engine.redis.get_secret_value()) == ("three:9092", "rediss://elsewhere")


def test_the_environment_heals_what_the_file_lacks() -> None:
    text = example() + 'engine: {kafka: "${NOT_SET}", redis: "${NOT_SET}"}\n'
    assert loaded(text, TOCSIN_KAFKA="three:9092", TOCSIN_REDIS="redis://elsewhere").engine is not None


@pytest.mark.parametrize(
    ("section", "environment", "said"),
    [
        ("engine: {kafka: 'one:9092'}", {}, "engine.redis: is missing"),
        ("", {"TOCSIN_REDIS": "redis://r"}, "engine.kafka: is missing"),
        ("engine: {kafka: one, redis: 'redis://r'}", {}, "engine.kafka: expected host:port"),
        ("engine: {kafka: 'one:99999', redis: 'redis://r'}", {}, "engine.kafka: expected host:port"),
        ("engine: {kafka: 'one:1', redis: 'redis://r/x'}", {}, "engine.redis: expected a URL"),
        ("engine: {kafka: 'one:1', redis: 'http://r'}", {}, "engine.redis: expected a URL"),
        ("engine: {kafka: 'one:1', redis: 'redis://r', namespace: 'a/b'}", {}, "engine.namespace: expected at most 64"),
        ("engine: {kafka: 'one:1', redis: 'redis://r', replication: 0}", {}, "engine.replication: expected a whole"),
        ("engine: {kafka: 'one:1', redis: 'redis://r', topics: 3}", {}, "engine.topics: is not a setting"),
        ("engine: kafka", {"TOCSIN_KAFKA": "one:1"}, "engine: expected a mapping of keys"),
        ("", {"TOCSIN_KAFKA": "one:1", "TOCSIN_REDIS": "redis//"}, "(from environment variable TOCSIN_REDIS)"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_field(section: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"{example()}{section}\n", **environment)
    assert said in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:hidden@redis:0", "hidden", "redis://:hidden@redis/one"])
def test_a_wrong_redis_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(example() + f"engine: {{kafka: 'one:1', redis: '{url}'}}\n")
    assert "hidden" not in str(caught.value)
