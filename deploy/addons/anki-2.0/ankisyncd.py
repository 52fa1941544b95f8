# Anki 2.0.27 - 2.0.52 syncs with your own server: save as "ankisyncd.py" in the folder that Tools > Add-ons > Open Add-ons Folder
# shows, put your server's address below, and restart Anki.
ADDRESS = "http://localhost:27701/"

import anki.sync

base = ADDRESS.rstrip("/") + "/"
anki.sync.SYNC_BASE = base
anki.sync.SYNC_MEDIA_BASE = base + "msync/"  # unknown to 2.0.27 - 2.0.31, which use SYNC_BASE
