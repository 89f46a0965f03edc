"""No address of ours is reached through an address of theirs: forms x ways to get there."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import HubError, Refused, Unavailable
from hub.federation.client import GuardedTransport
from hub.federation.guard import ForbiddenSocket, Guard, Reach, check_address, checked, kind_of
from tests.kit.addresses import EVERY_ADDRESS, PUBLIC, ScriptedResolver, in_url

# What stands in a URL besides plain addresses; each of them reads as an address of ours somewhere.
SPELLINGS = [
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.01/",
    "https://0/",
    "https://127.0.0.1./",
    "https://localhost./",
    "https://169.254.169.254./",
    "https://256.256.256.256/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://ⓛocalhost/",
    "https://пример.рф/",
    "https://exa\u200bmple.org/",
    "https://127.0.0.1%2f@example.org/",
    "https://user@example.org/",
    "https://user:password@example.org/",
    "https://example.org@127.0.0.1/",
    "https://@127.0.0.1/",
    "https://example.org#@127.0.0.1/",
    "https://example.org\\@127.0.0.1/",
    "https://127.0.0.1\\.example.org/",
    "https:/\\127.0.0.1/",
    "https:///127.0.0.1/",
    "https://exa mple.org/",
    "https://example.org\r\nHost: 127.0.0.1/",
    "https://example.org\x00.internal/",
    "https://example..org/",
    "https://.example.org/",
    "https://-example.org/",
    "https://" + "a" * 64 + ".org/",
    "https://" + "a." * 150 + "org/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1/",
    "https://[v1.fe80]/",
    "https://[127.0.0.1]/",
    "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://[::ffff:7f00:0001]/",
    "https://example.org?",
    "https://example.org/?",
    "https://example.org:0/",
    "https://example.org:22/",
    "https://example.org:25/",
    "https://example.org:80/",
    "https://example.org:6379/",
    "https://example.org:65536/",
    "https://example.org:-1/",
    "https://example.org:4\uff143/",
    "http://example.org/",
    "http://example.org:443/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org:443/",
    "unix:///run/docker.sock",
    "//example.org/",
    "example.org",
    "https:example.org",
    "",
    "https://",
]


def info(address: str, port: int = 443) -> tuple[int, int, int, str, tuple[str, int]]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 0, "", (address, port))


async def refusal(transport: GuardedTransport, url: str) -> Refused:
    with pytest.raises(Refused) as caught:
        await transport.request("GET", url, {}, None, max_bytes=100, timeout_s=2)
    await transport.close()
    assert caught.value.code == "address_forbidden"
    assert caught.value.told == "This address cannot be used"
    return caught.value


@pytest.fixture
async def redirecting() -> AsyncIterator[TestServer]:
    """A peer on loopback that sends everybody to `?to=`, and closes the connection after that."""

    async def redirect(request: web.Request) -> web.Response:
        hits.append(request.path)
        to = request.query.get("to")
        location = {"Location": to} if to else {}
        return web.Response(status=302 if to else 200, headers={"Connection": "close", **location})

    hits: list[str] = []
    app = web.Application()
    app.router.add_get("/{tail:.*}", redirect)
    server = TestServer(app)
    await server.start_server()
    server.hits = hits  # type: ignore[attr-defined]
    yield server
    await server.close()


@pytest.mark.parametrize(("address", "kind"), EVERY_ADDRESS)
def test_every_special_address_is_known_by_its_kind(address: str, kind: str) -> None:
    assert kind_of(ipaddress.ip_address(address)) == kind


def test_there_are_at_least_sixty_forms() -> None:
    assert len(EVERY_ADDRESS) >= 60
    assert len(SPELLINGS) >= 60


@pytest.mark.parametrize(("address", "kind"), EVERY_ADDRESS)
async def test_a_special_address_in_a_url_is_refused(address: str, kind: str) -> None:
    for port in ("", ":443", ":8443", ":22"):
        error = await refusal(GuardedTransport(Guard()), f"https://{in_url(address)}{port}/txp")
        assert kind in error.because or "ambiguous" in error.because


@pytest.mark.parametrize("url", SPELLINGS)
async def test_a_cunning_spelling_is_refused_before_anybody_is_asked(url: str) -> None:
    resolver = ScriptedResolver(["127.0.0.1"])
    await refusal(GuardedTransport(Guard(), resolver=resolver), url)
    assert resolver.asked == []


@pytest.mark.parametrize(("address", "kind"), EVERY_ADDRESS)
async def test_a_name_that_resolves_to_a_special_address_is_refused(
    address: str, kind: str
) -> None:
    transport = GuardedTransport(Guard(), resolver=ScriptedResolver([address]))
    error = await refusal(transport, "https://peer.example/txp")
    assert kind in error.because


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize(("address", "kind"), EVERY_ADDRESS)
async def test_a_redirect_to_a_special_address_is_not_followed(
    address: str, kind: str, literal: bool, redirecting: TestServer
) -> None:
    resolver = ScriptedResolver(["127.0.0.1"])
    transport = GuardedTransport(Guard(try_out=True), resolver=resolver)
    target = f"https://{in_url(address)}/" if literal else f"http://{kind[:1]}.example/"
    answer = await transport.request(
        "GET",
        f"http://peer.example:{redirecting.port}/?to={target}",
        {},
        None,
        max_bytes=100,
    )
    await transport.close()
    assert answer.status == 302
    assert resolver.asked == ["peer.example"]


async def test_a_redirect_to_ourselves_is_not_followed(redirecting: TestServer) -> None:
    transport = GuardedTransport(Guard(try_out=True))
    base = f"http://127.0.0.1:{redirecting.port}"
    answer = await transport.request("GET", f"{base}/?to={base}/b", {}, None, max_bytes=100)
    await transport.close()
    assert answer.status == 302
    assert redirecting.hits == ["/"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("address", "kind"), [pair for pair in EVERY_ADDRESS if pair[1] != "loopback"]
)
async def test_a_name_that_changes_its_address_between_look_ups_is_refused(
    address: str, kind: str, redirecting: TestServer
) -> None:
    resolver = ScriptedResolver(["127.0.0.1"], [address])
    transport = GuardedTransport(Guard(try_out=True), resolver=resolver)
    url = f"http://peer.example:{redirecting.port}/"
    first = await transport.request("GET", url, {}, None, max_bytes=100)
    assert first.status == 200
    error = await refusal(transport, url)
    assert kind in error.because
    assert len(resolver.asked) == 2


@pytest.mark.parametrize(
    "answers", [["::1"], ["10.0.0.1", "::1"], ["fd00::1", "127.0.0.1"], ["127.0.0.1"] * 20]
)
async def test_several_special_addresses_are_refused_like_one(answers: list[str]) -> None:
    transport = GuardedTransport(Guard(), resolver=ScriptedResolver(answers))
    await refusal(transport, "https://peer.example/")


async def test_a_special_address_among_others_is_passed_over(redirecting: TestServer) -> None:
    resolver = ScriptedResolver(["10.0.0.1", "fd00::1", "127.0.0.1", "::"])
    transport = GuardedTransport(Guard(try_out=True), resolver=resolver)
    url = f"http://peer.example:{redirecting.port}/"
    answer = await transport.request("GET", url, {}, None, max_bytes=100, timeout_s=2)
    await transport.close()
    assert answer.status == 200
    assert redirecting.hits == ["/"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes_on_the_usual_ports_only(address: str) -> None:
    assert kind_of(ipaddress.ip_address(address)) == ""
    check_address(info(address), Reach.PUBLIC)
    check_address(info(address, 8443), Reach.TRY_OUT)
    assert Guard().reach(f"https://{in_url(address)}/a%2Fb?c")[1] is Reach.PUBLIC
    for port in (0, 22, 25, 80, 6379, 8080):
        with pytest.raises(Refused):
            check_address(info(address, port), Reach.PUBLIC)
    with pytest.raises(Refused):
        check_address(info(address), Reach.LOOPBACK)


@pytest.mark.parametrize(("address", "kind"), EVERY_ADDRESS)
def test_what_an_operator_lists_may_be_private_and_nothing_worse(address: str, kind: str) -> None:
    private = kind in {"loopback", "private", "carrier-grade NAT", "unique local"}
    guard = Guard(listed=frozenset({(str(ipaddress.ip_address(address)), 8080)}))
    url = f"https://{in_url(str(ipaddress.ip_address(address)))}:8080/"
    if private:
        assert guard.reach(url)[1] is Reach.LISTED
        checked(Reach.LISTED)(info(address, 8080)).close()
    else:
        with pytest.raises(Refused):
            guard.reach(url)
        with pytest.raises(ForbiddenSocket):
            checked(Reach.LISTED)(info(address, 8080))


def test_a_listing_opens_one_host_and_one_port() -> None:
    guard = Guard(listed=frozenset({("desk.lan", 8080)}))
    assert guard.reach("https://desk.lan:8080/")[1] is Reach.LISTED
    assert guard.reach("https://DESK.lan:8080/")[1] is Reach.LISTED
    assert guard.reach("https://desk.lan/")[1] is Reach.PUBLIC
    for other in ("https://desk.lan:8081/", "https://x.desk.lan:8080/", "http://desk.lan:8080/"):
        with pytest.raises(Refused):
            guard.reach(other)


def test_plain_http_goes_to_this_machine_only_and_only_while_trying_out() -> None:
    assert Guard(try_out=True).reach("http://127.0.0.1:8101/")[1] is Reach.LOOPBACK
    assert Guard(try_out=True).reach("http://localhost:8101/")[1] is Reach.LOOPBACK
    for url in ("http://127.0.0.1:8101/", "http://localhost:8101/"):
        with pytest.raises(Refused):
            Guard().reach(url)
    for url in ("http://10.0.0.1/", "http://8.8.8.8/", "http://8.8.8.8:443/"):
        with pytest.raises(Refused):
            Guard(try_out=True).reach(url)


async def test_a_public_node_does_not_reach_a_node_on_its_own_machine(
    redirecting: TestServer,
) -> None:
    for host in ("127.0.0.1", "localhost"):
        await refusal(GuardedTransport(Guard()), f"https://{host}:{redirecting.port}/")
    assert redirecting.hits == []  # type: ignore[attr-defined]


async def test_localhost_is_reached_while_trying_out(redirecting: TestServer) -> None:
    transport = GuardedTransport(Guard(try_out=True))
    url = f"http://localhost:{redirecting.port}/"
    assert (await transport.request("GET", url, {}, None, max_bytes=10)).status == 200
    await transport.close()


async def test_open_and_closed_ports_of_the_inside_look_the_same(redirecting: TestServer) -> None:
    errors: list[HubError] = [
        await refusal(GuardedTransport(Guard()), f"https://127.0.0.1:{port}/")
        for port in (redirecting.port, 1)
    ]
    assert len({(error.code, error.told, error.hint) for error in errors}) == 1


def test_other_families_of_sockets_are_refused() -> None:
    for reach in Reach:
        with pytest.raises(Refused):
            check_address((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/x", 0)), reach)
        with pytest.raises(Refused):
            check_address((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("name", 443)), reach)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_the_standard_library_calls_special_is_special_here(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if not address.is_global:
        assert kind_of(address) != ""


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/"):
        try:
            exact, _ = Guard().reach(url)
        except Refused:
            continue
        assert str(exact) == url


async def test_an_unknown_name_is_an_unreachable_peer() -> None:
    transport = GuardedTransport(Guard(), resolver=ScriptedResolver([]))
    with pytest.raises(Unavailable) as caught:
        await transport.request("GET", "https://peer.example/", {}, None, max_bytes=10)
    await transport.close()
    assert caught.value.code == "peer_unreachable"
