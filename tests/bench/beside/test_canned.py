from tests.bench.beside.canned import end_of_request


def test_a_request_ends_behind_its_body_however_it_is_cut() -> None:
    request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    assert [end_of_request(request[:end]) for end in range(len(request))] == [None] * len(request)
    assert end_of_request(request + b"GET / HTTP/1.1") == len(request)
    assert end_of_request(b"GET / HTTP/1.1\r\n\r\n") == 18
