import pytest

from deploy.local.clickhouse.domain.errors import StoreError, http_status, of_the_parser


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (62, 400),
        (60, 404),
        (81, 404),
        (497, 403),
        (516, 403),
        (159, 408),
        (48, 501),
        (241, 500),
        (33, 500),
        (131, 413),
    ],
)
def test_a_code_has_the_status_of_a_server(code: int, status: int) -> None:
    assert http_status(code) == status


def test_the_first_code_of_an_engines_text_counts() -> None:
    text = "Streaming insert failed: Code: 73. DB::Exception: Code: 62. DB::Exception: x. (UNKNOWN_FORMAT)"
    error = StoreError.of_engine(text)
    assert (error.code, error.message) == (73, text.removeprefix("Streaming insert failed: "))
    assert StoreError.of_engine("something else").code == 1002


def test_what_an_error_says_stays_out_of_its_own_text() -> None:
    assert "secret" not in str(StoreError.of_engine("Code: 62. DB::Exception: secret"))


def test_an_error_of_the_parser_has_neither_our_query_nor_a_copy_of_the_clients() -> None:
    text = (
        "Code: 306. DB::Exception: Maximum parse depth (1000) exceeded. Consider rising max_parser_depth"
        " parameter: In scope SELECT formatQuery('SELECT ((((('). (TOO_DEEP_RECURSION)"
    )
    error = of_the_parser(StoreError.of_engine(text))
    shown = "Maximum parse depth (1000) exceeded. Shorten or flatten the query. (TOO_DEEP_RECURSION)"
    assert (error.code, error.message) == (306, f"Code: 306. DB::Exception: {shown}")
    assert http_status(error.code) == 400
    plain = StoreError.of_engine("Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)")
    assert of_the_parser(plain).message == plain.message
