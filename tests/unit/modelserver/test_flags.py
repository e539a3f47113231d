import pytest

from modelyard.modelserver.errors import UsageError
from modelyard.modelserver.flags import parse, usage

BASE = "--model_base_path=/m"


def test_both_spellings_of_a_value_are_read() -> None:
    options = parse(["--port=1", "--model_name", "digits", BASE, "--rest_api_port", "2"]).options
    assert (options.port, options.model_name, options.rest_api_port) == (1, "digits", 2)


def test_a_switch_needs_no_value() -> None:
    assert parse([BASE, "--enable_batching"]).options.enable_batching
    assert parse(["--enable_batching", BASE]).options.enable_batching
    assert not parse([BASE, "--enable_batching", "false"]).options.enable_batching
    assert parse([BASE, "--enable_batching=true"]).options.enable_batching
    assert not parse([BASE, "--enable_model_warmup=false"]).options.enable_model_warmup


def test_the_defaults_are_tensorflow_model_servers() -> None:
    options = parse([BASE]).options
    assert (options.port, options.rest_api_port, options.model_name) == (8500, 0, "default")
    assert (options.file_system_poll_wait_seconds, options.max_num_load_retries) == (1, 5)
    assert options.load_retry_interval_micros == 60_000_000


def test_tuning_flags_without_effect_are_accepted_and_named() -> None:
    assert parse([BASE, "--num_load_threads=3", "--grpc_max_threads", "4"]).ignored == (
        "num_load_threads",
        "grpc_max_threads",
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--prot=1", BASE], "unknown flag --prot; did you mean --port?"),
        (["--zzz", BASE], "unknown flag --zzz; --help lists the flags"),
        ([BASE, "serve"], "unexpected argument 'serve'"),
        ([BASE, "--port"], "--port needs a value"),
        ([BASE, "--port", "--model_name=x"], "--port needs a value"),
        ([BASE, "--port=many"], "--port takes a number, not 'many'"),
        ([BASE, "--port=70000"], "--port takes 0 to 65535"),
        ([BASE, "--enable_batching=perhaps"], "--enable_batching takes true or false"),
        ([BASE, "--front=apache"], "--front takes auto, pyvoy, aio"),
        ([BASE, "--port=0"], "nowhere to listen"),
        ([BASE, "--drain_seconds=-1"], "--drain_seconds cannot be negative"),
        ([BASE, "--model_config_file=/c"], "give either --model_base_path"),
        ([], "give either --model_base_path"),
        ([BASE, "--batching_parameters_file=/b"], "needs --enable_batching"),
        ([BASE, "--grpc_socket_path=/" + "x" * 108], "longer than a socket's name can be"),
    ],
)
def test_a_flag_that_makes_no_sense_is_named(arguments: list[str], text: str) -> None:
    with pytest.raises(UsageError, match=text.replace("(", r"\(").replace("?", r"\?")):
        parse(arguments)


def test_help_lists_every_flag() -> None:
    assert "--grpc_socket_path=''" in usage()
    assert "--num_load_threads" in usage()
