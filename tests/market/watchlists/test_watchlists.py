"""Watchlists, by the API and on their pages: ordered, bounded, each user's own."""

import re

import pytest
from django.http import Http404
from django.test import Client
from django.utils.html import escape

from market.models import Instrument, Watchlist
from market.watchlists import services
from tests.market.test_views import quote

pytestmark = pytest.mark.django_db


def make(client, name="Tech", tickers=("TSLA", "AAPL")) -> dict:
    answer = client.post("/watchlists/", {"name": name, "tickers": list(tickers)}, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


# The API ------------------------------------------------------------------------------------------


def test_a_list_is_made_read_changed_and_deleted_in_its_order(api, alice):
    client = api(alice)
    made = make(client)
    address = f"/watchlists/{made['id']}"
    assert (made["name"], made["tickers"]) == ("Tech", ["TSLA", "AAPL"])
    assert client.get(address).json() == made
    assert client.get("/watchlists/").json()["results"] == [made]
    assert client.patch(address, {"tickers": ["AAPL", "KO", "TSLA"]}, format="json").json()["tickers"] == [
        "AAPL", "KO", "TSLA",
    ]  # fmt: skip
    assert client.patch(address, {"name": "Mine"}, format="json").json()["tickers"] == ["AAPL", "KO", "TSLA"]
    assert client.put(address, {"name": "Empty"}, format="json").json() == made | {"name": "Empty", "tickers": []}
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_a_list_deleted_in_another_tab_is_not_made_anew(api, alice):
    make(api(alice))
    at_hand = Watchlist.objects.get()
    services.delete_watchlist(Watchlist.objects.get(), actor=alice)
    with pytest.raises(Http404):
        services.save_watchlist(at_hand, ["KO"], actor=alice)
    assert not Watchlist.objects.exists()


def test_a_list_is_changed_only_as_it_was_read(api, alice):
    client = api(alice)
    address = f"/watchlists/{make(client)['id']}"
    read = client.get(address)["ETag"]
    changed = client.patch(address, {"tickers": ["KO"]}, format="json", headers={"If-Match": read})
    assert (changed.status_code, client.get(address)["ETag"]) == (200, changed["ETag"])
    late = {"headers": {"If-Match": read}, "format": "json"}
    answers = [client.patch(address, {"name": "x"}, **late), client.put(address, {"name": "x"}, **late)]
    assert [answer.status_code for answer in [*answers, client.delete(address, **late)]] == [412, 412, 412]
    assert client.get(address).json()["tickers"] == ["KO"]
    assert client.delete(address, headers={"If-Match": changed["ETag"]}).status_code == 204


def test_a_page_that_is_no_longer_true_changes_nothing(api, alice):
    made = make(api(alice))
    page, address = signed_in(alice), f"/desk/watchlists/{made['id']}/"
    tag = re.search(r'name="tag" value="([^"]+)"', page.get(address).content.decode())[1].replace("&quot;", '"')
    removal = {"action": "remove", "ticker": "TSLA", "tag": tag}
    assert page.post(address, removal).status_code == 302
    told = page.post(address, {"action": "delete", "tag": tag}, follow=True).content.decode()
    assert "was changed meanwhile" in told
    assert Watchlist.objects.get().tickers == ["AAPL"]


def test_a_ticker_is_put_on_a_list_from_its_own_page(api, alice, bob, dave):
    made = make(api(alice))
    page, option = signed_in(alice), f'<option value="{made["id"]}">Tech</option>'
    assert option in page.get("/desk/market/KO/").content.decode()
    told = page.post("/desk/market/KO/watch/", {"watchlist": made["id"]}, follow=True).content.decode()
    assert "KO is on Tech." in told
    assert option not in told
    assert Watchlist.objects.get().tickers == ["TSLA", "AAPL", "KO"]
    answers = [page.post("/desk/market/KO/watch/", {"watchlist": wrong}) for wrong in ("", "x", "9" * 30, "999999")]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 404]
    for none in ("%00", "NONE"):
        assert page.post(f"/desk/market/{none}/watch/", {"watchlist": made["id"]}).status_code == 404
    assert signed_in(bob).post("/desk/market/KO/watch/", {"watchlist": made["id"]}).status_code == 404
    assert signed_in(dave).post("/desk/market/KO/watch/").status_code == 403


def test_a_ticker_is_put_on_the_first_list_from_the_board_which_stays_as_it_was_shown(api, alice, dave):
    Instrument.objects.ensure(["KO"])
    page, board = signed_in(alice), "/desk/market/?q=KO&ordering=-volume"
    assert ">Watch</button>" not in page.get(board).content.decode()  # there is no list yet
    made = make(api(alice))
    address = "/desk/market/KO/watch/?q=KO&ordering=-volume"
    assert f'formaction="{escape(address)}"' in page.get(board).content.decode()
    answer = page.post(address, {"watchlist": made["id"], "from": "board"})
    assert answer["Location"] == board
    assert '<span class="soft">on it</span>' in page.get(board).content.decode()
    assert ">Watch</button>" not in signed_in(dave).get(board).content.decode()


def test_anothers_list_is_not_there(api, alice, bob, carol, dave):
    address = f"/watchlists/{make(api(alice))['id']}"
    for other in (bob, carol, dave):
        assert api(other).get("/watchlists/").json()["results"] == []
        assert [api(other).get(address).status_code, signed_in(other).get(f"/desk{address}/").status_code] == [404, 404]
    assert api(bob).patch(address, {"name": "Bob's"}, format="json").status_code == 404
    assert api(bob).delete(address).status_code == 404
    assert Watchlist.objects.get().name == "Tech"


def test_who_only_reads_makes_none(api, alice, dave):
    assert api(dave).post("/watchlists/", {"name": "x"}, format="json").status_code == 403
    assert api(alice, scope="read").post("/watchlists/", {"name": "x"}, format="json").status_code == 403
    assert api().get("/watchlists/").status_code == 401


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "name", "required"),
        ({"name": " "}, "name", "blank"),
        ({"name": "x" * 41}, "name", "max_length"),
        ({"name": "Tech"}, "name", "unique"),
        ({"name": "a", "tickers": "AAPL"}, "tickers", "not_a_list"),
        ({"name": "a", "tickers": ["AAPL", "KO", "AAPL"]}, "tickers", "duplicate"),
        ({"name": "a", "tickers": ["NONE"]}, "tickers", "does_not_exist"),
        ({"name": "a", "tickers": ["a b"]}, "tickers.0", "ticker"),
        ({"name": "a", "tickers": ["AAPL"] * 201}, "tickers", "max_length"),
        ({"name": "a", "color": "red"}, "color", "unknown_field"),
    ],
)
def test_what_is_no_list_is_refused_by_field_and_nothing_is_made(api, alice, body, field, code):
    make(api(alice))
    answer = api(alice).post("/watchlists/", body, format="json")
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert Watchlist.objects.count() == 1


def test_a_refused_change_leaves_the_list_as_it_was(api, alice):
    made = make(api(alice))
    answer = api(alice).patch(f"/watchlists/{made['id']}", {"name": "New", "tickers": ["NONE"]}, format="json")
    assert answer.status_code == 400
    assert api(alice).get(f"/watchlists/{made['id']}").json() == made


def test_there_is_a_bound_to_the_lists_of_a_user(api, alice, bob, monkeypatch):
    monkeypatch.setattr(services, "MOST_LISTS", 2)
    make(api(alice), "one")
    make(api(alice), "two")
    assert api(alice).post("/watchlists/", {"name": "three"}, format="json").status_code == 400
    make(api(bob), "one")


def test_a_list_of_lists_costs_the_same_queries_however_many(api, alice, django_assert_max_num_queries):
    for number in range(6):
        make(api(alice), f"list {number}")
    client = api(alice)
    client.get("/watchlists/")
    with django_assert_max_num_queries(6):
        assert len(client.get("/watchlists/").json()["results"]) == 6


# The pages ----------------------------------------------------------------------------------------


def tickers_on(page) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/desk/market/([^/]+)/">', page.content.decode())


def test_a_list_is_kept_on_its_page(alice):
    desk = signed_in(alice)
    address = desk.post("/desk/watchlists/", {"name": "Mine"})["Location"]
    for ticker in ("aapl", "KO", "TSLA"):
        assert desk.post(address, {"action": "add", "ticker": ticker}).status_code == 302
    quote("KO", "69.80")
    assert tickers_on(desk.get(address)) == ["AAPL", "KO", "TSLA"]
    for action, ticker in (("up", "AAPL"), ("up", "TSLA"), ("down", "AAPL"), ("down", "KO"), ("remove", "AAPL")):
        desk.post(address, {"action": action, "ticker": ticker})
    assert tickers_on(desk.get(address)) == ["TSLA", "KO"]
    desk.post(address, {"action": "rename", "name": "Ours"})
    assert "Ours" in desk.get("/desk/watchlists/").content.decode()
    assert desk.post(address, {"action": "delete"})["Location"] == "/desk/watchlists/"
    assert desk.get(address).status_code == 404


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"action": "add", "ticker": "NONE"}, "There is no instrument NONE."),
        ({"action": "add", "ticker": "AAPL"}, "AAPL is on the list twice."),
        ({"action": "add", "ticker": "$"}, "A ticker is 1 to 16"),
        ({"action": "rename", "name": "Other"}, "There is a watchlist of this name already."),
        ({"action": "rename", "name": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_done_is_said_beside_its_field(api, alice, values, said):
    make(api(alice), "Other", [])
    answer = signed_in(alice).post(f"/desk/watchlists/{make(api(alice))['id']}/", values)
    assert (answer.status_code, said in answer.content.decode()) == (422, True)
    assert "<h1>Tech</h1>" in answer.content.decode()


def test_an_action_that_is_none_is_refused(api, alice):
    assert signed_in(alice).post(f"/desk/watchlists/{make(api(alice))['id']}/", {"action": "x"}).status_code == 400


def test_today_shows_the_first_list_in_its_order(api, alice):
    make(api(alice))
    for ticker in ("AAPL", "KO", "TSLA"):
        quote(ticker, "100")
    page = signed_in(alice).get("/desk/").content.decode()
    assert re.findall(r'data-board="(\w+)"', page) == ["TSLA", "AAPL"]
    assert ">Tech</a>" in page
