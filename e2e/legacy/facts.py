"""What is in the data directories of testdata/legacy, as it was seen when the original servers had made them."""
import hashlib

FONT = ("_font.css", "fa8b41763ec9333608a62073f52f14b84bb8ee7f")
CAFE = ("caf\u00e9 \u65e5\u672c.txt", "3cf93d6e37822486d041148b873e6345c3847ba1")
ONE = ("one.png", "752b255414f407588018dac538926cea528ab8c7")
BOB_TXT = ("bob.txt", "48181acd22b3edaebc8a447868a7df7ce629920a")
LANG = ["Default", "Lang", "Lang::Japanese"]


class User:
    """counts: notes, cards, revlog, graves."""

    def __init__(self, name, password, counts=None, usn=0, decks=(), tags=(), media=(), media_usn=0, keys=()):
        self.name, self.password, self.counts, self.usn = name, password, counts, usn
        self.decks, self.tags, self.media, self.media_usn, self.keys = list(decks), list(tags), dict(media), media_usn, list(keys)


class Place:
    """A directory that a server left. conf: (name in the archive, name to give it); env: what the server was started with."""

    def __init__(self, name, archive, users, sub=".", root="collections", conf=None, env=None):
        self.name, self.archive, self.users, self.sub, self.root = name, archive, users, sub, root
        self.conf, self.env = conf, env or {}


def official_key(user, password):
    return hashlib.sha1(("%s:%s" % (user, password)).encode()).hexdigest()


def new_alice(usn, tags, keys):
    return User("alice", "alice-pw", (3, 3, 1, 3), usn, LANG, tags, [FONT, CAFE, ONE], 5, keys)


def old_alice(usn, graves, keys):
    return User("alice", "alice-pw", (3, 3, 1, graves), usn, LANG, ["cl", "inc", "t1", "t2"], [CAFE, ONE], 4, keys)


def old_bob(keys):
    return User("bob@example.com", "bobpw", (3, 3, 1, 0), 1, LANG, ["cl", "t1", "t2"], keys=keys)


def new_bob(password, keys):
    return User("bob@example.com", password, (1, 1, 0, 0), 1, ["Default"], ["b"], [BOB_TXT], 1, keys)


TAGS = ["cl", "inc", "t1", "t2::sub"]
C24 = [
    new_alice(6, TAGS, ["6fd7d62734fe1531bafe62fe4f4bceba"]),
    new_bob("\u043f\u0430\u0440\u043e\u043b\u044c 1", ["f55c9ec5950014ce9c9a1fd4643b0051"]),
    User("carol", "carol-pw"),
]
OFFICIAL = [
    new_alice(5, TAGS, [official_key("alice", "alice-pw")]),
    new_bob("bobpw", [official_key("bob@example.com", "bobpw")]),
]
OFFICIAL_ENV = {"SYNC_USER1": "alice:alice-pw", "SYNC_USER2": "bob@example.com:bobpw"}
# ankisyncd-rs gave its clients the stored hash as their key
RS = [
    new_alice(5, TAGS, ["9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa"]),
    new_bob("bobpw", ["c37cee041fbb9f925e9c63559c0aea680bf18f4707bb2efaa8db326d68f30cbcdeadbeefcafe0123"]),
]

PLACES = [
    Place("ankicommunity-2.4.0-stopped", "ankisyncd-2.4.0", C24, sub="stopped"),
    # copied while it ran: the newest changes are in write-ahead logs only; the archive has the conf in the other folder
    Place("ankicommunity-2.4.0-running", "ankisyncd-2.4.0", C24, sub="running-snapshot", conf=("../stopped/ankisyncd.conf", "ankisyncd.conf")),
    Place("ankicommunity-2.3.0", "ankisyncd-2.3.0", [
        old_alice(3, 2, ["397b87a53bd918149fbdbef91f3390f3", "ca27139b8e1f6593cc2e2d77e7159ac4", "ac9c694644f8d7ce2aa0f224d6de143c", "d231f5aced1304fcb08b14a33816da51"]),
        old_bob(["f76cfe05a5f952002835534d00f35aca"])]),
    Place("tsudoko", "ankisyncd-tsudoko", [
        old_alice(4, 2, ["24572eff0fc981e19426a4c67f255237", "80be7d6ed70216389b12e9fade651c52"]),
        old_bob(["e0cb56b91978c2c3588183405d4b2fd1"])]),
    Place("dsnopek-ankiserver", "ankiserver-dsnopek-2.0.6", [
        old_alice(3, 2, ["9efb6c5fb690c2cc99e9dd18f2412e52", "53d51184ddf4f4c8998299b60a19830b"]),
        old_bob(["a87d225ec85a6c785c56a128bf6c9a4b"])], conf=("example.ini", "production.ini")),
    Place("official-settled", "anki-syncserver", OFFICIAL, sub="settled", root=".", env=OFFICIAL_ENV),
    Place("official-killed", "anki-syncserver", OFFICIAL, sub="killed", root=".", env=OFFICIAL_ENV),
    Place("ankisyncd-rs", "ankisyncd-rs", RS),
]
