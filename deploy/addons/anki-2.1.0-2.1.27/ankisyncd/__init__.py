# Anki 2.1.0 - 2.1.27 syncs with your own server: copy the folder "ankisyncd" to the one that Tools > Add-ons > View Files shows
# (addons21), put your server's address below, and restart Anki.
ADDRESS = "http://localhost:27701/"

import anki.sync
from anki.hooks import addHook
from aqt import mw

# Anki puts the number of AnkiWeb's host where %s is. With none, nothing is put there.
anki.sync.SYNC_BASE = "%s" + ADDRESS.rstrip("/") + "/"


def forget_host_number():
    mw.pm.profile["hostNum"] = None


addHook("profileLoaded", forget_host_number)
