# Anki 2.1.28 - 2.1.56 syncs with your own server: copy the folder "ankisyncd" to the one that Tools > Add-ons > View Files shows
# (addons21), put your server's address below, and restart Anki. Anki 2.1.57 and newer has a setting for it: Preferences > Syncing.
ADDRESS = "http://localhost:27701/"

import os

base = ADDRESS.rstrip("/") + "/"
os.environ["SYNC_ENDPOINT"] = base + "sync/"
os.environ["SYNC_ENDPOINT_MEDIA"] = base + "msync/"
