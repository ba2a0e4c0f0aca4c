from contextlib import closing

import pytest
from sqlalchemy import text

from api.access import (
    AccessStore,
    NameTaken,
    NoSuchAccount,
    Role,
    Scope,
    SignInRefused,
    TooManyAttempts,
)
from api.records import Records, trail


def written(store):
    """Who did what, by the audit trail; the chain holds."""
    with store._reading() as session:
        assert list(trail.faults(session)) == []
        return session.execute(
            text('SELECT "by", action, subject FROM audit ORDER BY audit_id')
        ).all()


def test_the_first_start_makes_a_manager_and_later_ones_nobody(store):
    pin = store.first_manager()
    assert len(pin) == 8
    assert store.first_manager() is None
    assert [(p.name, p.role) for p in store.people()] == [("manager", Role.MANAGER)]
    assert store.of_cookie(store.sign_in("manager", pin), by_hand=True).may(Scope.PEOPLE)


def test_no_secret_is_kept_as_it_is(store):
    pin = store.create("Ann", Role.OPERATOR, by="test")
    badge = store.issue_badge("Ann", by="test")
    cookie = store.sign_in("Ann", pin)
    _, token = store.create_token("mes", [Scope.RECORDS_READ], by="test")
    with store._reading() as session:
        kept = [
            str(value)
            for table in ("account", "sign_in", "api_token", "audit")
            for row in session.execute(text(f"SELECT * FROM {table}"))
            for value in row
        ]
    for secret in (pin, badge, cookie, token):
        assert not [value for value in kept if secret in value]
    assert [value for value in kept if value.startswith("$argon2id$")]


def test_a_wrong_pin_and_a_name_of_nobody_are_refused_alike(store):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    with pytest.raises(SignInRefused) as wrong:
        store.sign_in("Ann", "73105947")
    with pytest.raises(SignInRefused) as nobody:
        store.sign_in("Nobody", "73105946")
    assert str(wrong.value) == str(nobody.value)


@pytest.mark.parametrize(
    "pin", ["111111", "123456", "987654", "121212", "12345", "abcdef", "890123"]
)
def test_a_pin_that_people_try_first_is_refused(store, pin):
    with pytest.raises(ValueError, match="PIN"):
        store.create("Ann", Role.OPERATOR, by="test", pin=pin)
    assert store.people() == ()


def test_after_five_wrong_pins_not_even_the_right_one_is_looked_at_for_a_while(store, clock):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    for _ in range(5):
        with pytest.raises(SignInRefused):
            store.sign_in("Ann", "00000000")
    with pytest.raises(TooManyAttempts) as refused:
        store.sign_in("Ann", "73105946")
    assert 29 <= refused.value.wait <= 31
    clock.pass_by(seconds=31)
    with pytest.raises(SignInRefused, match="do not fit"):
        store.sign_in("Ann", "00000000")
    clock.pass_by(seconds=31)
    with pytest.raises(TooManyAttempts):  # each wrong one doubles the wait
        store.sign_in("Ann", "73105946")
    clock.pass_by(seconds=30)
    assert store.sign_in("Ann", "73105946")


def test_the_wait_never_grows_beyond_a_quarter_of_an_hour(store, clock):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    for _ in range(14):
        with pytest.raises(SignInRefused):
            store.sign_in("Ann", "00000000")
        clock.pass_by(seconds=901)
    assert store.sign_in("Ann", "73105946")


def test_a_locked_account_still_opens_by_its_badge(store):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    badge = store.issue_badge("Ann", by="test")
    for _ in range(5):
        with pytest.raises(SignInRefused):
            store.sign_in("Ann", "00000000")
    assert store.of_cookie(store.sign_in_by_badge(badge), by_hand=True).name == "Ann"


def test_a_new_badge_makes_the_lost_one_worthless(store):
    store.create("Ann", Role.OPERATOR, by="test")
    lost = store.issue_badge("Ann", by="test")
    store.issue_badge("Ann", by="test")
    with pytest.raises(SignInRefused):
        store.sign_in_by_badge(lost)


def test_a_session_ends_after_a_shift_and_after_an_idle_hour(store, clock):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    idle = store.sign_in("Ann", "73105946")
    clock.pass_by(minutes=59)
    assert store.of_cookie(idle, by_hand=False).name == "Ann"
    clock.pass_by(minutes=2)  # what the page asks for itself does not keep it open
    assert store.of_cookie(idle, by_hand=False) is None
    busy = store.sign_in("Ann", "73105946")
    for _ in range(23):
        clock.pass_by(minutes=30)
        assert store.of_cookie(busy, by_hand=True).name == "Ann"
    clock.pass_by(minutes=31)
    assert store.of_cookie(busy, by_hand=True) is None


@pytest.mark.parametrize("verb", ["change_pin", "disable", "sign_out"])
def test_what_ends_sessions_ends_them_at_once(store, verb):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    cookie = store.sign_in("Ann", "73105946")
    if verb == "sign_out":
        store.sign_out(cookie)
    else:
        getattr(store, verb)("Ann", by="test")
    assert store.of_cookie(cookie, by_hand=True) is None


def test_a_disabled_account_opens_neither_by_pin_nor_by_badge(store):
    store.create("Ann", Role.OPERATOR, by="test", pin="73105946")
    badge = store.issue_badge("Ann", by="test")
    store.disable("Ann", by="test")
    with pytest.raises(SignInRefused):
        store.sign_in("Ann", "73105946")
    with pytest.raises(SignInRefused):
        store.sign_in_by_badge(badge)


def test_the_last_manager_cannot_be_disabled(store):
    store.create("Max", Role.MANAGER, by="test")
    with pytest.raises(ValueError, match="last manager"):
        store.disable("Max", by="test")
    store.create("Mia", Role.MANAGER, by="test")
    store.disable("Max", by="test")


def test_what_cannot_be_made_is_refused(store):
    store.create("Ann", Role.OPERATOR, by="test")
    with pytest.raises(NameTaken):
        store.create("Ann", Role.QUALITY, by="test")
    with pytest.raises(ValueError, match="token"):
        store.create("mes", Role.SERVICE, by="test")
    with pytest.raises(ValueError, match="name"):
        store.create(" ", Role.OPERATOR, by="test")
    for scopes in ([], [Scope.PEOPLE]):
        with pytest.raises(ValueError, match="scope"):
            store.create_token("mes", scopes, by="test")
    with pytest.raises(NoSuchAccount):
        store.change_pin("Nobody", by="test")
    with pytest.raises(NoSuchAccount):
        store.revoke_token("nothing", by="test")


def test_a_token_has_its_scopes_until_it_is_revoked_or_over(store, clock):
    token_id, secret = store.create_token("mes", [Scope.RECORDS_READ], by="test", days=30)
    machine = store.of_token(secret)
    assert (machine.name, machine.scopes) == ("token mes", {Scope.RECORDS_READ})
    clock.pass_by(days=30)
    assert store.of_token(secret) is None
    token_id, secret = store.create_token("mes", [Scope.RECORDS_READ], by="test")
    store.revoke_token(token_id, by="test")
    assert store.of_token(secret) is None
    assert store.of_token("zk_guess") is None
    assert [bool(t.revoked_at) for t in store.tokens()].count(True) == 1


def test_every_change_is_in_the_trail_with_who_did_it(store):
    store.create("Ann", Role.OPERATOR, by="Max", pin="73105946")
    store.issue_badge("Ann", by="Max")
    with pytest.raises(SignInRefused):
        store.sign_in("Ann", "00000000")
    store.sign_out(store.sign_in("Ann", "73105946"))
    token_id, _ = store.create_token("mes", [Scope.METRICS], by="Max")
    store.revoke_token(token_id, by="Max")
    store.change_pin("Ann", by="Max")
    assert written(store) == [
        ("Max", "create account", "Ann"),
        ("Max", "issue badge", "Ann"),
        ("Ann", "sign-in refused", None),
        ("Ann", "sign in", None),
        ("Ann", "sign out", None),
        ("Max", "create token", token_id),
        ("Max", "revoke token", token_id),
        ("Max", "change PIN", "Ann"),
    ]


def test_accounts_are_kept_when_the_database_is_opened_again(database_url):
    with closing(Records(database_url)) as records:
        pin = AccessStore(records.engine).first_manager()
    with closing(Records(database_url)) as records:
        assert AccessStore(records.engine).sign_in("manager", pin)
