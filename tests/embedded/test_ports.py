"""Finding a free port: what the runner does when the usual one is taken."""

from __future__ import annotations

import socket

import pytest

from callcenter.embedded.services import ServiceError, free_port


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_somebody_holds_is_passed_over_be_it_tcp_or_udp(kind: socket.SocketKind) -> None:
    first = free_port(14000)
    with socket.socket(type=kind) as holder:
        holder.bind(("127.0.0.1", first))
        assert free_port(first) > first


def test_a_port_that_was_given_out_already_is_not_given_out_again() -> None:
    first = free_port(14200)
    assert free_port(first, frozenset({first})) > first


def test_a_range_without_a_free_port_is_an_error_in_words() -> None:
    with pytest.raises(ServiceError, match="no free port between 14400"):
        free_port(14400, frozenset(range(14400, 14600)))
